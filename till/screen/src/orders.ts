// Orders of payments. An order has its idempotency key before it is first sent, and keeps it until the terminal has answered: sent
// again after a lost answer it is the same sale, so that nobody is charged twice. While one is on its way there is no other.

import { ask } from "./api.ts";
import type { Answer, Fetch } from "./api.ts";
import type { Amount } from "./money.ts";
import type { Kind, Sale } from "./types.ts";

export interface Order {
  kind: Kind;
  amount?: Amount;
  tip?: Amount;
  cashback?: Amount;
  of?: number;
  auth?: string;
  reference?: string;
}

/** newKey is 128 random bits, in letters alone: digits in a row could pass for a card number, which no order may hold. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => String.fromCharCode(97 + (b >> 4), 97 + (b & 15))).join("");
}

export interface Surroundings {
  send: Fetch;
  wait(ms: number): Promise<void>;
  key(): string;
  /** How the order stands, for the screen: on its way, asked again, or answered. */
  stands(how: "sending" | "again" | "idle"): void;
  /** Asks for a supervisor's yes; null: there is none. */
  override(order: Order): Promise<string | null>;
  /** Somebody has to log in; false: nobody does. */
  logIn(): Promise<boolean>;
}

/** What became of an order. "gone": it had not reached the terminal when somebody logged in again, and was given up. */
export type Ordered = Answer<Sale> | { kind: "gone" };

const pauses = [300, 600, 1200, 2000]; // ms

export class Orders {
  private open: Promise<Ordered> | null = null;

  constructor(private readonly around: Surroundings) {}

  /** start gives an order to the terminal. A second one before the first is answered is the first: Enter pressed twice. */
  start(order: Order): Promise<Ordered> {
    this.open ??= this.untilAnswered(order).finally(() => {
      this.open = null;
      this.around.stands("idle");
    });
    return this.open;
  }

  private async untilAnswered(order: Order): Promise<Ordered> {
    const body = { ...order, key: this.around.key() };
    let lost = false; // an answer was: the terminal may have the order
    let override = "";
    for (let tries = 0; ; tries++) {
      this.around.stands(lost ? "again" : "sending");
      const a = await ask<Sale>("/v1/sales", { method: "POST", body, ...(override && { override }) }, this.around.send);
      const status = a.kind === "problem" ? a.problem.status : 0;
      if (a.kind === "lost" || status === 502 || status === 503 || status === 504) {
        lost = true;
        await this.around.wait(pauses[Math.min(tries, pauses.length - 1)]!);
      } else if (status === 401) {
        if (!(await this.around.logIn())) return a;
        if (lost) return this.lookUp(body.key);
      } else if (status === 403 && a.kind === "problem" && a.problem.code === "not_allowed" && !override) {
        const yes = await this.around.override(order);
        if (yes === null) return a;
        override = yes;
      } else {
        return a;
      }
    }
  }

  /** lookUp finds what became of an order whose answer was lost, after somebody has logged in again: it is not ordered anew by them. */
  private async lookUp(key: string): Promise<Ordered> {
    for (let tries = 0; ; tries++) {
      const a = await ask<{ sales: Sale[] }>("/v1/sales?key=" + key, {}, this.around.send);
      if (a.kind === "done") {
        const sale = a.data.sales[0];
        return sale ? { kind: "done", status: 200, data: sale } : { kind: "gone" };
      }
      if (a.kind === "problem" && a.problem.status === 404) return { kind: "gone" };
      if (a.kind === "problem" && a.problem.status < 500) return a;
      await this.around.wait(pauses[Math.min(tries, pauses.length - 1)]!);
    }
  }
}

// What a cashier has typed so far, and the order that comes of it. Pure.

import { maxDigits, minorOf, typed } from "./money.ts";
import type { Order } from "./orders.ts";
import type { Kind } from "./types.ts";

/** Where digits go. */
export type Field = "of" | "amount" | "tip" | "cashback";

export interface Entry {
  kind: Kind;
  field: Field;
  of: string;
  amount: string;
  tip: string;
  cashback: string;
  parts: Field[]; // of tip and cashback, those that are open
  auth: string;
  reference: string;
  referenced: boolean;
}

export const blank = (kind: Kind = "sale"): Entry => ({
  kind, field: fields(kind)[0] ?? "amount", of: "", amount: "", tip: "", cashback: "", parts: [], auth: "", reference: "", referenced: false,
});

/** about is an entry for an order about an earlier payment. */
export const about = (kind: Kind, of: number, amount: number): Entry => ({ ...blank(kind), of: String(of), amount: amount ? String(amount) : "", field: fields(kind).at(-1) ?? "of" });

/** fields are those that take digits, of a kind, in the order in which they are typed. */
export function fields(kind: Kind): Field[] {
  switch (kind) {
    case "void":
      return ["of"];
    case "increment":
    case "completion":
      return ["of", "amount"];
    case "refund":
      return ["amount", "of"];
    case "balance":
      return [];
    case "sale":
    case "preauth":
    case "forced":
      return ["amount"];
  }
}

/** shown are the fields that stand on the screen. */
export const shown = (e: Entry): Field[] => [...fields(e.kind), ...e.parts];

const longestNumber = 15;

/** press puts digits into the field that takes them; "back" takes the last one away. */
export function press(e: Entry, key: string): Entry {
  if (shown(e).length === 0) return e;
  const now = e[e.field];
  const next = key === "back" ? now.slice(0, -1) : typed(now, key, e.field === "of" ? longestNumber : maxDigits);
  return { ...e, [e.field]: next };
}

/** open shows the field of a tip or of cash out, or hides it, and what was typed there with it. */
export function open(e: Entry, part: "tip" | "cashback"): Entry {
  if (e.kind !== "sale") return e;
  if (e.parts.includes(part)) return { ...e, parts: e.parts.filter((p) => p !== part), [part]: "", field: "amount" };
  return { ...e, parts: [...e.parts, part], field: part };
}

/** next is the field behind the one that takes digits, round. */
export function next(e: Entry): Entry {
  const all = shown(e);
  const at = all.indexOf(e.field);
  return all.length ? { ...e, field: all[(at + 1) % all.length]! } : e;
}

/** total is what the card will be asked for, minor units. */
export const total = (e: Entry): number => minorOf(e.amount) + minorOf(e.tip) + minorOf(e.cashback);

/** lacks is what is missing before it can be ordered: a field, or the bank's code. */
export function lacks(e: Entry): Field | "auth" | null {
  if (["void", "increment", "completion"].includes(e.kind) && e.of === "") return "of";
  if (!["void", "balance"].includes(e.kind) && minorOf(e.amount) === 0) return "amount";
  if (e.kind === "forced" && e.auth.trim() === "") return "auth";
  return null;
}

/** order is what is sent, of an entry that lacks nothing. */
export function order(e: Entry, currency: string): Order {
  const amount = (digits: string) => ({ minor: minorOf(digits), currency });
  const o: Order = { kind: e.kind };
  if (fields(e.kind).includes("amount")) o.amount = amount(e.amount);
  if (minorOf(e.tip) > 0) o.tip = amount(e.tip);
  if (minorOf(e.cashback) > 0) o.cashback = amount(e.cashback);
  if (fields(e.kind).includes("of") && e.of !== "") o.of = Number(e.of);
  if (e.kind === "forced") o.auth = e.auth.trim().toUpperCase();
  if (e.reference.trim() !== "") o.reference = e.reference.trim();
  return o;
}

/** action is what an order asks for, in the terminal's table of who may do what. */
export const action = (o: Order): string => (o.kind === "refund" && o.of === undefined ? "unreferenced_refund" : o.kind);

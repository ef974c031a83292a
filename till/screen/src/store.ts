// The screen's state and what it does: the one place that talks to the terminal.

import { computed, effect, signal } from "@preact/signals-core";

import { ask, askText } from "./api.ts";
import type { Answer, Request } from "./api.ts";
import { action, blank } from "./entry.ts";
import type { Entry } from "./entry.ts";
import { follow } from "./events.ts";
import { t } from "./i18n.ts";
import type { Word } from "./i18n.ts";
import { plain } from "./money.ts";
import * as w from "./words.ts";
import { newKey, Orders } from "./orders.ts";
import type { Order } from "./orders.ts";
import { initial, missing, reduce, scene } from "./reduce.ts";
import type { Message } from "./reduce.ts";
import type { JournalRow, Kind, Me, PrinterStatus, Problem, Sale, StateEvent, Status } from "./types.ts";

export const model = signal(initial);
export const status = signal<Status | null>(null);
export const me = signal<Me | null>(null);
export const entry = signal<Entry>(blank());
export const ordering = signal<"idle" | "sending" | "again">("idle");

/** kindWords are the kinds of payments by name. */
export const kindWords: Record<Kind, Word> = { sale: w.sale, refund: w.refund, void: w.voids, preauth: w.preauth, increment: w.increment, completion: w.completion, balance: w.balance, forced: w.forced };

export const snapshot = computed(() => model.value.news?.snapshot ?? null);
export const training = computed(() => model.value.news?.training === true);
export const live = computed(() => model.value.link === "on");
export const inScene = computed(() => scene(model.value));

const tell = (m: Message): void => {
  model.value = reduce(model.value, m);
};

// Places: the part of the address behind #, so that a reload comes back to the same one.

export type Place = "sell" | "sales" | "queue" | "reports" | "more";
export interface Route {
  place: Place;
  sale: number; // whose page is open; 0: none
}

function route(): Route {
  const [place, id] = location.hash.replace(/^#\/?/, "").split("/");
  const known: Place[] = ["sell", "sales", "queue", "reports", "more"];
  return { place: known.find((p) => p === place) ?? "sell", sale: /^\d{1,15}$/.test(id ?? "") ? Number(id) : 0 };
}
export const at = signal<Route>(route());
export function go(place: Place, sale = 0): void {
  location.hash = "/" + place + (sale ? "/" + String(sale) : "");
}

// Notices: what went wrong or was done, until it is closed.

export interface Notice {
  good: boolean;
  problem?: Problem;
  text?: Word;
}
export const notice = signal<Notice | null>(null);

/** said shows how a request ended, where it did not end well; true: it did. */
export function said<T>(a: Answer<T> | { kind: "gone" }, good?: Word): boolean {
  if (a.kind === "done") notice.value = good ? { good: true, text: good } : null;
  else if (a.kind === "problem") notice.value = { good: false, problem: a.problem };
  else notice.value = { good: false, text: a.kind === "gone" ? w.orderGone : w.notKnown };
  return a.kind === "done";
}

// Questions to a person: one at a time, each with its answer.

export type Question =
  | { what: "login"; answer(yes: boolean): void }
  | { what: "override"; action: string; words: string; answer(token: string | null): void }
  | { what: "sure"; title: string; text: string; yes: string; note: boolean; answer(note: string | null): void }
  | { what: "paper"; title: string; path: string; print?: () => void; answer(): void };
export const question = signal<Question | null>(null);

let turn: Promise<unknown> = Promise.resolve(); // a question waits for the one before: whoever asked that waits for its answer

function pose<T>(make: (answer: (v: T) => void) => Question): Promise<T> {
  const mine = turn.then(() => new Promise<T>((resolve) => {
    question.value = make((v) => {
      question.value = null;
      resolve(v);
    });
  }));
  turn = mine;
  return mine;
}

let logging: Promise<boolean> | null = null; // several requests may find out at once that the session has ended

export const logIn = (): Promise<boolean> => {
  logging ??= pose<boolean>((answer) => ({ what: "login", answer })).then((yes) => {
    logging = null;
    if (yes) sessionChanged();
    return yes;
  });
  return logging;
};
export const override = (act: string, words: string): Promise<string | null> => pose<string | null>((answer) => ({ what: "override", action: act, words, answer }));
/** sure asks for a yes, and for a note where one is needed; null: no. */
export const sure = (title: string, text: string, yes: string, note = false): Promise<string | null> =>
  pose<string | null>((answer) => ({ what: "sure", title, text, yes, note, answer }));
export const paper = (title: string, path: string, print?: () => void): Promise<void> => pose<void>((answer) => ({ what: "paper", title, path, ...(print && { print }), answer }));

/** call sends a request; where it needs a log-in or a supervisor it asks for them, and sends it again. */
export async function call<T>(path: string, r: Request = {}, act = "", words = ""): Promise<Answer<T>> {
  let yes = "";
  for (;;) {
    const a = await ask<T>(path, yes ? { ...r, override: yes } : r);
    if (a.kind === "problem" && a.problem.status === 401) {
      if (!(await logIn())) return a;
      continue;
    }
    if (a.kind === "problem" && a.problem.status === 403 && a.problem.code === "not_allowed" && act && !yes) {
      const token = await override(act, words || a.problem.title);
      if (token === null) return a;
      yes = token;
      continue;
    }
    return a;
  }
}

/** post is call for what changes something, and says how it ended. */
export async function post<T>(path: string, body: unknown, act = "", words = "", good?: Word): Promise<T | null> {
  const a = await call<T>(path, { method: "POST", body }, act, words);
  return said(a, good) && a.kind === "done" ? a.data : null;
}

/** out says that somebody has to log in before anything can be ordered. */
export const out = computed(() => model.value.link === "login" || (me.value !== null && !me.value.open && me.value.role === ""));

/** may says whether who is logged in may do something without a supervisor, as far as is known. */
export const may = (act: string): boolean => me.value === null || me.value.may.includes(act);

/** whatFor is what a supervisor is asked to say yes to: an order with all that its card pays, or gets. */
function whatFor(o: Order): string {
  const exponent = status.value?.terminal.exponent;
  if (!o.amount || exponent === undefined) return t(kindWords[o.kind]);
  const all = o.amount.minor + (o.tip?.minor ?? 0) + (o.cashback?.minor ?? 0);
  return `${t(kindWords[o.kind])} ${o.amount.currency} ${plain(all, exponent)}`;
}

const orders = new Orders({
  send: (url, init) => fetch(url, init),
  wait: (ms) => new Promise((r) => setTimeout(r, ms)),
  key: newKey,
  stands: (how) => {
    ordering.value = how;
  },
  override: (o: Order) => override(action(o), whatFor(o)),
  logIn,
});

/** order gives an order to the terminal; what has been typed is gone once it is taken. */
export async function order(o: Order): Promise<void> {
  if (!live.value && ordering.value === "idle") return;
  notice.value = null;
  const a = await orders.start(o);
  if (said(a) && a.kind === "done") {
    entry.value = blank();
    tell({ type: "ordered", sale: a.data });
  }
}

/** seen puts the outcome away. */
export const seen = (): void => tell({ type: "seen" });

/** cancel gives the running sale up, where that is still possible. */
export const cancel = (): Promise<unknown> => post("/v1/cancel", {}, "cancel");

/** sessionChanged takes the stream up anew: who is logged in has changed. */
export function sessionChanged(): void {
  stop();
  connect();
}

let stop: () => void = () => undefined;
let lastRow = "";

async function refresh(): Promise<void> {
  const [s, m, r] = await Promise.all([ask<Status>("/v1/status"), ask<Me>("/v1/me"), ask<{ sales: Sale[] }>("/v1/sales?last=20")]);
  if (s.kind === "done") status.value = s.data;
  if (m.kind === "done") me.value = m.data;
  else setTimeout(() => void (live.value && refresh()), 1000); // nothing can be ordered before it is known who asks
  if (r.kind === "done") tell({ type: "recent", sales: r.data.sales });
}

function refused(): void {
  me.value = null;
  tell({ type: "refused" });
  void ask<Status>("/v1/status").then((s) => {
    if (s.kind === "done") status.value = s.data;
  });
}

/** connect follows the terminal from now on. Anybody may look at how it is: who is logged in, refresh asks. */
export function connect(): void {
  stop = follow(
    "/v1/events",
    {
      open: () => {
        tell({ type: "open" });
        void refresh();
      },
      lost: () => tell({ type: "lost" }),
      refused,
      event: (e) => {
        if (e.id !== undefined) lastRow = e.id;
        if (e.event === "bye") {
          me.value = null;
          tell({ type: "refused" }); // the session has ended; the stream comes back as nobody's
        } else if (e.event === "state") {
          performance.mark("tillway-state");
          tell({ type: "state", state: JSON.parse(e.data) as StateEvent, now: Date.now() });
        } else if (e.event === "row") tell({ type: "row", row: JSON.parse(e.data) as JournalRow });
      },
    },
    lastRow,
  );
}

// Training has payments of its own.
let trained: boolean | undefined;
effect(() => {
  const now = model.value.news ? training.value : undefined;
  if (now === undefined) return;
  if (trained !== undefined && trained !== now) {
    entry.value = blank();
    void refresh();
  }
  trained = now;
});

// A sale that was running when the daemon went away has its end in the journal.
effect(() => {
  const id = missing(model.value);
  if (id) void ask<Sale>("/v1/sales/" + String(id)).then((a) => {
    if (a.kind === "done") tell({ type: "found", sale: a.data });
  });
});

export const printer = computed<PrinterStatus | null>(() => model.value.news?.printer ?? status.value?.printer ?? null);

// What went well need not be closed.
effect(() => {
  const n = notice.value;
  if (n?.good) setTimeout(() => notice.value === n && (notice.value = null), 6000);
});

addEventListener("hashchange", () => {
  notice.value = null;
  at.value = route();
});
addEventListener("focus", () => {
  if (out.value && !question.value) sessionChanged(); // another window may have logged in
});

export { askText };

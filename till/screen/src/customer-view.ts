// What the customer is to see, decided from what the terminal says and nothing else. Pure: the clock is an argument. The cashier's
// advice, warnings, card numbers and the bank's reasons are no part of it.

import type { Amount } from "./money.ts";
import type { Kind, Sale, Snapshot, StateEvent } from "./types.ts";
import { final } from "./types.ts";
import { words, type Pair } from "./customer-words.ts";

export type Mood = "idle" | "card" | "wait" | "pin" | "good" | "bad" | "over" | "remove";

/** A Line is an amount with what it is. */
export interface Line {
  what: Pair;
  amount: Amount;
}

/** A View is one picture of the display. */
export interface View {
  mood: Mood;
  head: Pair; // the one thing to read
  below?: Pair; // and what it means
  label?: Pair; // of the amount
  amount?: Amount;
  lines: Line[];
  digits?: number; // of a PIN, typed so far
  again: boolean; // the PIN is asked for anew, because it was wrong
  languages: ("ar" | "en")[]; // in this order
  display: { text: string; language: string }[]; // what a cash register shows
  training: boolean;
}

/** How long an outcome stays, in ms after the sale's end; a card that is still in the reader keeps it. */
export const outcomeFor = 12_000;

const empty: View = { mood: "idle", head: words.welcome, lines: [], again: false, languages: ["ar", "en"], display: [], training: false };

/** view decides the picture. sale is the record of the sale that the snapshot is of, where it could be read; now is the time in ms. */
export function view(e: StateEvent | null, sale: Sale | null, now: number): View {
  if (!e) return { ...empty, mood: "wait", head: words.wait };
  const s = e.snapshot;
  const v: View = {
    ...empty,
    languages: s.language === "ar" ? ["ar"] : s.language === "en" ? ["en"] : ["ar", "en"],
    display: s.display ?? [],
    training: e.training ?? false,
  };
  if (s.state === "Ready") return s.card_left ? { ...v, mood: "remove", head: words.removeCard } : v;
  if (final(s.state)) {
    const over = s.last;
    const left = over ? remaining(over, now) : 0;
    if (left <= 0 && !s.card_left) return { ...v, languages: ["ar", "en"] };
    if (!s.language) v.languages = preferred(over?.language); // the terminal forgets it with the card; its customer still reads
    return ended(v, s, over);
  }
  return running(v, s, sale?.id === s.sale ? sale : null);
}

/** preferred is the first language of a card's own list (tag 5F2D, pairs of letters) that is spoken here; both where there is none. */
function preferred(list = ""): View["languages"] {
  for (const l of list.toLowerCase().match(/../g) ?? []) if (l === "ar" || l === "en") return [l];
  return ["ar", "en"];
}

/** remaining is for how long, in ms, the outcome of a sale is still shown. */
export function remaining(over: Sale, now: number): number {
  const age = now - Date.parse(over.updated);
  return Number.isFinite(age) ? outcomeFor - age : 0;
}

const prompt = (s: Snapshot): Pair => ({ ar: s.text_ar || s.text || "", en: s.text || "" });

const withoutCard = new Set<Kind>(["void", "increment", "completion"]);

function running(v: View, s: Snapshot, sale: Sale | null): View {
  v.head = s.text ? prompt(s) : words.wait;
  v.mood = "wait";
  if (sale?.kind !== "balance" && s.amount?.minor) {
    v.amount = s.amount;
    v.label = label(sale?.kind ?? "sale");
  }
  v.lines = parts(sale);
  if (s.pin) return { ...v, mood: "pin", digits: s.pin.digits, again: s.pin.entry > 1 };
  switch (s.state) {
    case "AwaitCard":
      return { ...v, mood: s.prompt === "10" ? "remove" : "card" };
    case "AgreementOnline":
    case "AgreementOffline":
      return agreement(v, s, sale);
  }
  if (s.confirm) return v; // the cashier is asked something
  if (sale && (withoutCard.has(sale.kind) || sale.entry === "swiped" || sale.entry === "fallback")) return v;
  return { ...v, below: words.leaveIn };
}

function label(k: Kind): Pair {
  switch (k) {
    case "refund":
      return words.toCard;
    case "preauth":
    case "increment":
      return words.toHold;
    case "void":
      return words.toVoid;
  }
  return words.toPay;
}

// parts are what an amount is made of, where it is made of more than goods.
function parts(sale: Sale | null): Line[] {
  const extra: Line[] = [];
  let rest = sale?.amount.minor ?? 0;
  for (const [what, amount] of [[words.tip, sale?.tip], [words.cash, sale?.cashback]] as const) {
    if (!amount?.minor) continue;
    extra.push({ what, amount });
    rest -= amount.minor;
  }
  if (!sale || !extra.length) return [];
  return [{ what: words.goods, amount: { ...sale.amount, minor: rest } }, ...extra];
}

// agreement: a signature is compared, or the bank has approved a part and the rest is to be paid in another way, or both.
function agreement(v: View, s: Snapshot, sale: Sale | null): View {
  const part = sale?.approved?.minor;
  if (sale && part) {
    const below = sale.signature ? words.signSlip : words.askCashier;
    return { ...v, mood: "card", below, lines: [{ what: words.approvedPart, amount: sale.approved! }, { what: words.rest, amount: { ...sale.amount, minor: sale.amount.minor - part } }] };
  }
  return { ...v, mood: "card", head: prompt(s), below: words.signSlip };
}

function ended(v: View, s: Snapshot, over: Sale | undefined): View {
  const end = verdict(v, s, over);
  return s.card_left ? { ...end, mood: "remove", head: words.removeCard, below: end.head } : end;
}

// verdict is what a customer is told of the end. Why the bank said no is the cashier's to say, and never in front of a queue.
function verdict(v: View, s: Snapshot, over: Sale | undefined): View {
  const kind = over?.kind ?? "sale";
  if (s.state !== "Approved") {
    const below = kind === "sale" || kind === "forced" ? words.notCharged : words.unchanged;
    const head = s.state === "Declined" ? { ar: "مرفوضة", en: "DECLINED" } : { ar: "أُلغيت", en: "CANCELLED" };
    return { ...v, mood: s.state === "Declined" ? "bad" : "over", head, below };
  }
  const head = { ar: "مقبولة", en: "APPROVED" };
  if (!over || kind === "balance") return { ...v, mood: "good", head, below: words.onReceipt };
  const amount = over.approved?.minor ? over.approved : over.amount;
  const good: View = { ...v, mood: "good", head, amount, label: done(over), below: words.thanks };
  if (over.way === "deferred") good.below = words.subject;
  if (over.approved?.minor) {
    good.lines = [{ what: words.asked, amount: over.amount }, { what: words.rest, amount: { ...over.amount, minor: over.amount.minor - over.approved.minor } }];
  } else good.lines = parts(over);
  return good;
}

function done(over: Sale): Pair {
  switch (over.kind) {
    case "refund":
      return words.returned;
    case "void":
      return words.voided;
    case "preauth":
    case "increment":
      return words.held;
    case "completion":
      return words.taken;
  }
  return over.approved?.minor ? words.paidPart : words.paid;
}

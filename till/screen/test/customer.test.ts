import assert from "node:assert/strict";
import { test } from "node:test";

import { outcomeFor, view } from "../src/customer-view.ts";
import { words } from "../src/customer-words.ts";
import type { Sale, Snapshot, StateEvent } from "../src/types.ts";

const now = Date.parse("2026-11-23T10:00:00Z");
const kwd = (minor: number) => ({ minor, currency: "KWD" });
const sale: Sale = {
  id: 7, kind: "sale", state: "Sending", batch: 1, amount: kwd(10525), started: "2026-11-23T09:59:50Z", updated: "2026-11-23T10:00:00Z",
  tid: "T", mid: "M", pan: "476173******0119", label: "VISA", rc: "43", host_text: "STOLEN CARD",
  outcome: { code: "declined", happened: "Stolen card.", do: "Keep the card.", may_retry: false },
};
const event = (s: Partial<Snapshot>, more: Partial<StateEvent> = {}): StateEvent => ({
  snapshot: { version: 1, state: "Ready", reader: { ok: true, name: "", state: "" }, host: { ok: true, name: "", state: "" }, journal: 0, owed: 0, parked: 0, ...s }, ...more,
});
const card = { state: "AwaitCard", sale: 7, amount: kwd(10525), prompt: "1D", text: "INSERT CARD", text_ar: "أدخل البطاقة" } as const;

test("before the card both languages, Arabic first; then the card's", () => {
  assert.deepEqual(view(event(card), null, now).languages, ["ar", "en"]);
  assert.deepEqual(view(event({ ...card, language: "en" }), null, now).languages, ["en"]);
  assert.deepEqual(view(event({ ...card, language: "ar" }), null, now).languages, ["ar"]);
});

test("without a connection nothing is claimed, and no amount stands there", () => {
  const v = view(null, sale, now);
  assert.equal(v.amount, undefined);
  assert.equal(v.mood, "wait");
});

test("an outcome goes after a while, and stays as long as the card is in", () => {
  const over = { state: "Approved", sale: 7, last: { ...sale, state: "Approved" }, text: "REMOVE CARD", language: "ar" } as const;
  assert.equal(view(event(over), null, now + 1000).mood, "good");
  for (const [list, want] of [["EN", ["en"]], ["frar", ["ar"]], ["fr", ["ar", "en"]]] as const) {
    assert.deepEqual(view(event({ ...over, language: "", last: { ...over.last, language: list } }), null, now).languages, want);
  }
  const late = view(event(over), null, now + outcomeFor + 1);
  assert.equal(late.mood, "idle");
  assert.equal(late.amount, undefined);
  assert.deepEqual(late.languages, ["ar", "en"]); // the next customer's are not known
  const left = view(event({ ...over, text: "APPROVED", card_left: true }), null, now + outcomeFor + 1);
  assert.equal(left.mood, "remove");
  assert.equal(left.head, words.removeCard);
});

test("nothing of the cashier's is shown: no advice, no warning, no card number, no reason of the bank's", () => {
  for (const state of ["AwaitCard", "CardTalk", "Sending", "AgreementOnline", "Approved", "Declined", "Cancelled", "Reversed"] as const) {
    const s = { ...card, state, advice: "Look at the card.", advice_ar: "x", warning: "The same card", last: { ...sale, state } };
    const text = JSON.stringify(view(event(s), sale, now));
    assert(!/Look at|same card|0119|476173|tolen|TOLEN|43|Keep/.test(text), state);
  }
});

test("what was not approved is not charged, and what was not a sale is not said to be", () => {
  const of = (kind: Sale["kind"], state: "Declined" | "Cancelled" | "Reversed" | "Approved", more: Partial<Sale> = {}) =>
    view(event({ state, sale: 7, last: { ...sale, kind, state, ...more } }), null, now);
  for (const state of ["Declined", "Cancelled", "Reversed"] as const) {
    assert.equal(of("sale", state).below, words.notCharged);
    assert.equal(of("refund", state).below, words.unchanged);
    assert.equal(of("sale", state).amount, undefined);
  }
  assert.equal(of("refund", "Approved").label, words.returned);
  assert.equal(of("preauth", "Approved").label, words.held);
  assert.equal(of("sale", "Approved", { way: "deferred" }).below, words.subject);
  assert.equal(of("balance", "Approved", { balance: kwd(999) }).amount, undefined); // nobody behind the customer is to read it
});

test("tip and cash are named, and what is left of a part that was approved", () => {
  const dinner = { ...sale, amount: kwd(22000), tip: kwd(2000) };
  const v = view(event({ ...card, amount: kwd(22000) }), dinner, now);
  assert.deepEqual(v.lines, [{ what: words.goods, amount: kwd(20000) }, { what: words.tip, amount: kwd(2000) }]);
  const part = view(event({ state: "Approved", sale: 7, last: { ...sale, state: "Approved", amount: kwd(8010), approved: kwd(4005) } }), null, now);
  assert.deepEqual(part.amount, kwd(4005));
  assert.deepEqual(part.lines[1], { what: words.rest, amount: kwd(4005) });
});

test("another sale's record is not taken for this one's", () => {
  assert.deepEqual(view(event(card), { ...sale, id: 6, tip: kwd(1) }, now).lines, []);
});

test("a PIN is dots, by their number", () => {
  const v = view(event({ ...card, state: "CardTalk", pin: { entry: 2, digits: 3 } }), sale, now);
  assert.equal(v.mood, "pin");
  assert.equal(v.digits, 3);
  assert.equal(v.again, true);
});

test("training is said on every picture", () => {
  for (const s of [card, { state: "Ready" }, { state: "Approved", last: { ...sale, state: "Approved" } }] as Partial<Snapshot>[]) {
    assert.equal(view(event(s, { training: true }), null, now).training, true);
  }
});

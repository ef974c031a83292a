import assert from "node:assert/strict";
import { test } from "node:test";

import { about, action, blank, lacks, next, open, order, press, shown, total } from "../src/entry.ts";
import type { Entry } from "../src/entry.ts";
import type { Kind } from "../src/types.ts";

const type = (e: Entry, keys: string): Entry => [...keys].reduce(press, e);

test("10525 is ten dinars and 525 fils", () => {
  const e = type(blank(), "10525");
  assert.deepEqual(order(e, "KWD"), { kind: "sale", amount: { minor: 10525, currency: "KWD" } });
  assert.equal(press(e, "back").amount, "1052");
  assert.equal(type(blank(), "١٠٥٢٥").amount, "10525");
});

test("tip and cash are on top, and gone when they are closed", () => {
  let e = type(open(type(blank(), "18000"), "tip"), "2000");
  assert.equal(total(e), 20000);
  assert.deepEqual(order(e, "KWD").tip, { minor: 2000, currency: "KWD" });
  e = open(e, "tip");
  assert.equal(total(e), 18000);
  assert.equal(order(e, "KWD").tip, undefined);
  assert.deepEqual(shown(open(blank("refund"), "tip")), ["amount", "of"]);
});

test("what an order of each kind lacks", () => {
  const full: Record<Kind, Partial<Entry>> = {
    sale: { amount: "1" }, preauth: { amount: "1" }, refund: { amount: "1" }, void: { of: "7" }, increment: { of: "7", amount: "1" }, completion: { of: "7", amount: "1" },
    balance: {}, forced: { amount: "1", auth: "A1" },
  };
  for (const kind of Object.keys(full) as Kind[]) {
    assert.equal(lacks({ ...blank(kind), ...full[kind] }), null, kind);
    if (kind !== "balance") assert.notEqual(lacks(blank(kind)), null, kind);
  }
  assert.equal(lacks({ ...blank("forced"), amount: "1" }), "auth");
  assert.equal(lacks({ ...blank("completion"), of: "7" }), "amount");
});

test("an order holds what its kind has, and no more", () => {
  const typed = { amount: "10", of: "7", tip: "", auth: "a1" };
  assert.deepEqual(order({ ...blank("void"), ...typed }, "KWD"), { kind: "void", of: 7 });
  assert.deepEqual(order({ ...blank("balance"), ...typed }, "KWD"), { kind: "balance" });
  assert.deepEqual(order({ ...blank("forced"), ...typed }, "KWD"), { kind: "forced", amount: { minor: 10, currency: "KWD" }, auth: "A1" });
  assert.deepEqual(order({ ...about("refund", 7, 500), reference: " t7 " }, "KWD"), { kind: "refund", amount: { minor: 500, currency: "KWD" }, of: 7, reference: "t7" });
});

test("a refund of no sale is another right than a refund", () => {
  assert.equal(action(order({ ...blank("refund"), amount: "5" }, "KWD")), "unreferenced_refund");
  assert.equal(action(order({ ...blank("refund"), amount: "5", of: "7" }, "KWD")), "refund");
  assert.equal(action(order(about("void", 7, 0), "KWD")), "void");
});

test("the fields take digits in turn, and numbers of a training fit", () => {
  const e = type(blank("increment"), "900000000000001");
  assert.equal(e.of, "900000000000001");
  assert.equal(press(e, "1").of, "900000000000001");
  assert.equal(next(e).field, "amount");
  assert.equal(next(next(e)).field, "of");
  assert.equal(press(blank("balance"), "5").amount, "");
});

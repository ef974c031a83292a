import assert from "node:assert/strict";
import { test } from "node:test";

import { initial, missing, put, reduce, runs, scene } from "../src/reduce.ts";
import type { Message, Model } from "../src/reduce.ts";
import { partial, taken } from "../src/types.ts";
import type { Sale, Snapshot, State } from "../src/types.ts";

const now = Date.parse("2026-11-23T12:00:00Z");

function sale(id: number, state: State, updated = "2026-11-23T11:59:50Z"): Sale {
  return { id, kind: "sale", state, batch: 1, amount: { minor: 10525, currency: "KWD" }, started: updated, updated, tid: "1", mid: "2" };
}

function state(over: Partial<Snapshot>): Message {
  const health = { ok: true, name: "", state: "" };
  return { type: "state", now, state: { snapshot: { version: 1, state: "Ready", reader: health, host: health, journal: 0, owed: 0, parked: 0, ...over } } };
}

const after = (...messages: Message[]): Model => messages.reduce(reduce, initial);

test("a payment runs and ends, and its end stands until it is seen", () => {
  let m = after(state({}), { type: "ordered", sale: sale(7, "AwaitCard") });
  assert.equal(scene(m), "entry");
  m = reduce(m, state({ sale: 7, state: "AwaitCard" }));
  assert.equal(scene(m), "running");
  m = reduce(m, state({ sale: 7, state: "Declined", last: sale(7, "Declined") }));
  assert.equal(scene(m), "outcome");
  assert.equal(m.shown?.id, 7);
  assert.equal(m.recent[0]?.id, 7);
  assert.equal(scene(reduce(m, { type: "seen" })), "entry");
  assert.equal(scene(reduce(reduce(m, { type: "seen" }), state({ sale: 7, state: "Declined", last: sale(7, "Declined") }))), "entry");
});

test("the previous amount leaves the screen when another payment begins", () => {
  const m = after(state({}), state({ sale: 7, state: "Approved", last: sale(7, "Approved") }), state({ sale: 8, state: "AwaitCard", last: sale(7, "Approved") }));
  assert.equal(m.shown, null);
  assert.equal(scene(m), "running");
});

test("a window that did not see it run shows its end too", () => {
  const m = after(state({ last: sale(7, "Approved"), sale: 7, state: "Approved" }), { type: "seen" }, state({ last: sale(8, "Declined"), sale: 8, state: "Declined" }));
  assert.equal(m.shown?.id, 8);
});

test("after a reload a payment that has just ended is shown, an old one is not", () => {
  assert.equal(after(state({ sale: 7, state: "Approved", last: sale(7, "Approved") })).shown?.id, 7);
  assert.equal(after(state({ sale: 7, state: "Approved", last: sale(7, "Approved", "2026-11-23T11:50:00Z") })).shown, null);
});

test("a payment that ran when the daemon went away is looked for, and shown when it is found", () => {
  let m = after(state({ sale: 7, state: "Sending" }), { type: "lost" });
  assert.equal(m.link, "off");
  assert.equal(missing(m), 0);
  m = reduce(m, state({}));
  assert.equal(missing(m), 7);
  m = reduce(m, { type: "found", sale: sale(7, "Reversed") });
  assert.equal(m.shown?.state, "Reversed");
  assert.equal(missing(m), 0);
});

test("nothing is taken for true without a connection", () => {
  assert.equal(after({ type: "lost" }).link, "connecting");
  assert.equal(after(state({}), { type: "lost" }).link, "off");
  const out = after(state({ sale: 7, state: "Sending" }), { type: "refused" });
  assert.equal(out.link, "login");
  assert.equal(out.news, null);
  assert.equal(out.recent.length, 0);
  assert.equal(reduce(out, { type: "lost" }).link, "login");
});

test("rows keep the list of the last payments, the later record of two", () => {
  let list = [1, 2, 3].map((id) => sale(id, "Approved")).reduce(put, [] as Sale[]);
  assert.deepEqual(list.map((s) => s.id), [3, 2, 1]);
  list = put(list, sale(2, "Declined", "2026-11-23T11:00:00Z"));
  assert.equal(list.find((s) => s.id === 2)?.state, "Approved");
  for (let id = 4; id < 100; id++) list = put(list, sale(id, "Approved"));
  assert.equal(list.length, 30);
  const m = reduce(after(state({})), { type: "row", row: { seq: 1, time: "", kind: "sale", record: sale(5, "Approved") } });
  assert.equal(m.recent[0]?.id, 5);
  assert.equal(reduce(m, { type: "row", row: { seq: 2, time: "", kind: "signon" } }), m);
});

test("only a state that is no end runs", () => {
  for (const [s, want] of [["Ready", false], ["AwaitCard", true], ["Asking", true], ["AgreementOnline", true], ["Approved", false], ["Reversed", false]] as const) {
    assert.equal(runs(after(state({ sale: 1, state: s }))), want, s);
  }
});

test("training and real payments never stand beside each other", () => {
  const play = (id: number): Sale => ({ ...sale(id, "Declined"), training: true });
  const training = (over: Partial<Snapshot>): Message => {
    const m = state(over) as Extract<Message, { type: "state" }>;
    return { ...m, state: { ...m.state, training: true } };
  };
  let m = after(state({ sale: 7, state: "Approved", last: sale(7, "Approved") }), { type: "recent", sales: [sale(6, "Approved")] });
  assert.equal(m.recent.length, 2);
  m = reduce(m, training({}));
  assert.equal(m.recent.length, 0);
  assert.equal(m.shown, null);
  m = [{ type: "row", row: { seq: 1, time: "", kind: "sale", record: sale(6, "Approved") } }, { type: "recent", sales: [sale(6, "Approved"), play(900)] } as Message].reduce((a, b) => reduce(a, b as Message), m);
  assert.deepEqual(m.recent.map((s) => s.id), [900]);
  m = reduce(reduce(m, training({ sale: 901, state: "AwaitCard" })), training({ sale: 901, state: "Declined", last: play(901) }));
  assert.equal(m.shown?.id, 901);
  m = reduce(m, state({ sale: 7, state: "Approved", last: sale(7, "Approved") }));
  assert.equal(m.shown, null);
  assert.equal(m.recent.length, 0);
  assert.equal(scene(m), "entry");
});

test("a part that was approved counts while it stands, and not once it was undone", () => {
  const part = (state: State): Sale => ({ ...sale(7, state), approved: { minor: 5262, currency: "KWD" } });
  for (const state of ["AgreementOnline", "Approved"] as State[]) {
    assert.equal(taken(part(state)).minor, 5262, state);
    assert.equal(partial(part(state)), true, state);
  }
  for (const state of ["Reversed", "Cancelled", "Declined"] as State[]) {
    assert.equal(taken(part(state)).minor, 10525, state);
    assert.equal(partial(part(state)), false, state);
  }
  assert.equal(partial(sale(8, "Approved")), false);
});

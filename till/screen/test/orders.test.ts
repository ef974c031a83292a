import assert from "node:assert/strict";
import { test } from "node:test";

import { newKey, Orders } from "../src/orders.ts";
import type { Order, Surroundings } from "../src/orders.ts";

interface Sent {
  url: string;
  key: string;
  override: string;
}

/** A terminal that answers as the script says: a status, or "cut" for a connection that breaks after the request was taken. */
function terminal(script: (number | "cut" | [number, object])[], more: Partial<Surroundings> = {}) {
  const sent: Sent[] = [];
  const stood: string[] = [];
  let keys = 0;
  const orders = new Orders({
    send: (url, init) => {
      const body = init?.body ? (JSON.parse(init.body as string) as { key: string }) : { key: "" };
      sent.push({ url, key: body.key, override: (init?.headers as Record<string, string>)["Tillway-Override"] ?? "" });
      const next = script.shift();
      if (next === undefined) assert.fail("one request too many: " + url);
      if (next === "cut") return Promise.reject(new TypeError("Failed to fetch"));
      const [status, answer] = Array.isArray(next) ? next : [next, status2(next)];
      return Promise.resolve(new Response(JSON.stringify(answer), { status }));
    },
    wait: () => Promise.resolve(),
    key: () => "key-" + String(++keys),
    stands: (how) => stood.push(how),
    override: () => Promise.resolve(null),
    logIn: () => Promise.resolve(false),
    ...more,
  });
  return { orders, sent, stood, done: () => assert.equal(script.length, 0, "answers are left over") };
}

const status2 = (status: number): object => (status < 300 ? { id: 7, state: "AwaitCard" } : { code: status === 403 ? "not_allowed" : "busy", status, title: "", do: "" });
const sale: Order = { kind: "sale", amount: { minor: 10525, currency: "KWD" } };

test("Enter pressed twice is one order", async () => {
  const t = terminal([201]);
  const [a, b] = await Promise.all([t.orders.start(sale), t.orders.start(sale)]);
  assert.equal(a, b);
  assert.equal(t.sent.length, 1);
  t.done();
});

test("a lost answer is asked for again with the same key, until there is one", async () => {
  const t = terminal(["cut", 503, "cut", "cut", "cut", 201]);
  const a = await t.orders.start(sale);
  assert.equal(a.kind, "done");
  assert.deepEqual([...new Set(t.sent.map((s) => s.key))], ["key-1"]);
  assert.deepEqual(t.stood, ["sending", "again", "again", "again", "again", "again", "idle"]);
  t.done();
});

test("the next order has a key of its own", async () => {
  const t = terminal([201, 201]);
  await t.orders.start(sale);
  await t.orders.start(sale);
  assert.deepEqual(t.sent.map((s) => s.key), ["key-1", "key-2"]);
});

test("a refusal is an answer", async () => {
  const t = terminal([409]);
  const a = await t.orders.start(sale);
  assert.equal(a.kind, "problem");
  t.done();
});

test("a supervisor's yes goes with the same order, once", async () => {
  const asked: Order[] = [];
  const t = terminal([403, 201], {
    override: (o) => {
      asked.push(o);
      return Promise.resolve("yes");
    },
  });
  assert.equal((await t.orders.start(sale)).kind, "done");
  assert.deepEqual(t.sent.map((s) => [s.key, s.override]), [["key-1", ""], ["key-1", "yes"]]);
  assert.equal(asked.length, 1);
  const refused = terminal([403, 403], { override: () => Promise.resolve("old") });
  assert.equal((await refused.orders.start(sale)).kind, "problem");
  refused.done();
  const nobody = terminal([403]);
  assert.equal((await nobody.orders.start(sale)).kind, "problem");
  nobody.done();
});

test("who logs in goes on with an order that was never taken", async () => {
  const t = terminal([401, 201], { logIn: () => Promise.resolve(true) });
  assert.equal((await t.orders.start(sale)).kind, "done");
  assert.deepEqual(t.sent.map((s) => s.key), ["key-1", "key-1"]);
});

test("an order whose answer was lost is looked up after a log-in, and not ordered by somebody else", async () => {
  const taken = terminal(["cut", 401, [200, { sales: [{ id: 9, state: "Approved" }] }]], { logIn: () => Promise.resolve(true) });
  const a = await taken.orders.start(sale);
  assert.equal(a.kind === "done" && a.data.id, 9);
  assert.equal(taken.sent.at(-1)!.url, "/v1/sales?key=key-1");
  const gone = terminal(["cut", 401, "cut", [200, { sales: [] }]], { logIn: () => Promise.resolve(true) });
  assert.equal((await gone.orders.start(sale)).kind, "gone");
  const not = terminal(["cut", 401, 404], { logIn: () => Promise.resolve(true) });
  assert.equal((await not.orders.start(sale)).kind, "gone");
});

test("keys are 128 random bits, in letters that nobody takes for a card number", () => {
  const a = newKey();
  assert.match(a, /^[a-p]{32}$/);
  assert.notEqual(a, newKey());
});

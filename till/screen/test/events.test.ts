import assert from "node:assert/strict";
import { test } from "node:test";

import { Parser } from "../src/events.ts";
import type { ServerEvent } from "../src/events.ts";

function parse(...texts: string[]): ServerEvent[] {
  const p = new Parser();
  return texts.flatMap((t) => p.push(t));
}

test("events in whatever pieces they come", () => {
  const whole = 'event: state\ndata: {"a":1}\n\nevent: row\nid: 12\ndata: {"b":2}\n\n';
  const want = [{ event: "state", data: '{"a":1}' }, { event: "row", data: '{"b":2}', id: "12" }];
  assert.deepEqual(parse(whole), want);
  assert.deepEqual(parse(...whole), want);
  assert.deepEqual(parse(whole.replaceAll("\n", "\r\n")), want);
  assert.deepEqual(parse(...whole.replaceAll("\n", "\r\n")), want);
});

test("comments are no events, and half an event is none", () => {
  assert.deepEqual(parse(": the stream lives\n\n", ":\n"), []);
  assert.deepEqual(parse("event: state\ndata: {"), []);
  assert.deepEqual(parse("event: state\n\n"), []);
});

test("data of several lines, a name without data, a space kept", () => {
  assert.deepEqual(parse("data: a\ndata:  b\ndata\n\n"), [{ event: "message", data: "a\n b\n" }]);
});

test("an id with a zero byte is none (WHATWG HTML, 9.2.6)", () => {
  assert.deepEqual(parse("id: 1\0\ndata: x\n\n"), [{ event: "message", data: "x" }]);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { arabicDigits, latinDigit, minorOf, parse, plain, typed } from "../src/money.ts";

test("digits of three scripts are typed", () => {
  for (const [c, want] of [["7", "7"], ["٧", "7"], ["۷", "7"], ["a", ""], ["", ""], ["12", ""], ["७", ""]] as const) {
    assert.equal(latinDigit(c), want, c);
  }
});

test("the decimals are implied: 10525 is KD 10.525, 5000 is KD 5", () => {
  let digits = "";
  for (const key of ["1", "٠", "5", "۲", "5"]) digits = typed(digits, key);
  assert.equal(minorOf(digits), 10525);
  assert.equal(plain(minorOf(digits), 3), "10.525");
  assert.equal(plain(minorOf(typed("5", "000")), 3), "5.000");
  assert.equal(typed("", "0"), "");
  assert.equal(typed("", "000"), "");
  assert.equal(typed("12", "x"), "12");
});

test("no more is typed than a terminal can ask for", () => {
  assert.equal(typed("123456789012", "3"), "123456789012");
  assert.equal(typed("12345678901", "00"), "12345678901");
  assert.equal(minorOf("999999999999"), 999999999999);
});

test("amounts of every exponent", () => {
  for (const [minor, exponent, want] of [
    [0, 3, "0.000"], [5, 3, "0.005"], [1234500, 3, "1,234.500"], [1255, 3, "1.255"], [-12345, 3, "−12.345"], [1234567, 0, "1,234,567"],
    [0, 0, "0"], [199, 2, "1.99"], [999999999999, 3, "999,999,999.999"],
  ] as const) {
    assert.equal(plain(minor, exponent), want);
  }
  assert.equal(plain(1234500, 3, false), "1234.500");
});

test("Arabic-Indic digits keep the order and the marks", () => {
  assert.equal(arabicDigits("1,234.500"), "١٬٢٣٤٫٥٠٠");
  assert.equal(arabicDigits("No. 7, then"), "No. ٧, then");
});

test("a price tag is read whole or not at all", () => {
  for (const [text, want] of [
    ["10.525", 10525], ["5", 5000], ["1,234.5", 1234500], ["١٢٫٥", 12500], ["0.005", 5], ["10.5255", null], ["", null], ["-1", null], ["1e3", null], ["1.2.3", null],
    ["NaN", null], ["9999999999999", null], [".5", null], ["999999999.999", 999999999999], ["1000000000", null],
  ] as const) {
    assert.equal(parse(text, 3), want, text);
  }
  assert.equal(parse("5.0", 0), null);
});

// Pieces that every view uses.

import type { ComponentChildren } from "preact";

import { language, t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { arabicCurrency, arabicDigits, plain } from "../money.ts";
import type { Amount } from "../money.ts";
import { digits } from "../settings.ts";
import { status } from "../store.ts";
import { partial } from "../types.ts";
import type { Kind, Sale, State } from "../types.ts";
import * as w from "../words.ts";

export const exponent = (): number => status.value?.terminal.exponent ?? 3;
export const currency = (): string => status.value?.terminal.currency ?? "";

/** numerals writes digits as the setting wants them. */
export const numerals = (text: string | number): string => (digits.value === "arabic" && language.value === "ar" ? arabicDigits(String(text)) : String(text));

export const currencyName = (code: string): string => (language.value === "ar" ? arabicCurrency(code) : code);

/** inWords is an amount within a sentence: the sentence isolates it. */
export function inWords(a: Amount): string {
  const number = numerals(plain(a.minor, exponent()));
  return language.value === "ar" ? number + " " + currencyName(a.currency) : a.currency + " " + number;
}

/** Money is an amount that cannot flip: the number is a left-to-right island in either language. */
export function Money({ of, class: name }: { of: Amount; class?: string }) {
  const number = <bdi dir="ltr">{numerals(plain(of.minor, exponent()))}</bdi>;
  const code = <span class="currency">{currencyName(of.currency)}</span>;
  const rtl = language.value === "ar";
  return (
    <bdi dir={rtl ? "rtl" : "ltr"} class={"money " + (name ?? "")}>
      {rtl ? number : code} {rtl ? code : number}
    </bdi>
  );
}

/** Latin is text that is read left to right in any language: numbers of cards, codes, times. */
export const Latin = ({ children }: { children: ComponentChildren }) => <bdi dir="ltr" class="latin">{children}</bdi>;

/** when is the shop's time of a moment, as the terminal sends it: "14:03:09", with the day where it is another. */
export function when(iso: string): string {
  const m = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})/.exec(iso);
  if (!m) return iso;
  const now = new Date();
  const today = `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, "0")}-${String(now.getDate()).padStart(2, "0")}`;
  return m[1] === today ? m[2]! : m[1] + " " + m[2]!.slice(0, 5);
}

/** age is how long ago a moment is, in one unit. */
export function age(iso: string): string {
  const minutes = Math.floor((Date.now() - Date.parse(iso)) / 60_000);
  if (!(minutes >= 1)) return t(w.justNow);
  if (minutes < 60) return t(w.minutes, { count: minutes });
  if (minutes < 48 * 60) return t(w.hours, { count: Math.floor(minutes / 60) });
  return t(w.days, { count: Math.floor(minutes / 1440) });
}

export type Tone = "good" | "careful" | "bad" | "quiet";

/** verdict is how a payment stands: in colour, icon and words. */
export function verdict(s: Sale): { tone: Tone; word: Word } {
  const done: Partial<Record<Kind, Word>> = { refund: w.refunded, void: w.voided, preauth: w.held, increment: w.held, completion: w.taken, balance: w.balance };
  switch (s.state) {
    case "Approved":
      if (partial(s)) return { tone: "careful", word: w.partly };
      if (s.way === "deferred") return { tone: "careful", word: w.deferred };
      if (s.way === "offline") return { tone: "good", word: w.approvedOffline };
      return { tone: "good", word: done[s.kind] ?? w.approved };
    case "Declined":
      return { tone: "bad", word: w.declined };
    case "Cancelled":
      return { tone: "quiet", word: w.cancelled };
    case "Reversed":
      return { tone: "careful", word: w.reversed };
    default:
      return { tone: "quiet", word: w.running };
  }
}

export const toneIcon = { good: "yes", careful: "warn", bad: "no", quiet: "undo" } as const;

/** stateWord is a sale's state for a list. */
export const stateWord = (s: { state: State } & Sale): string => t(verdict(s).word);

/** masked shows of a card what may be shown: its last four digits. */
export const masked = (pan: string | undefined): string => (pan ? "•••• " + pan.slice(-4) : "");

export function Fact({ name, children }: { name: Word; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{t(name)}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Key is the letter that presses a button. */
export const Key = ({ of }: { of: string }) => <kbd aria-hidden="true">{of}</kbd>;

/** Button is a button with a word on it. letter: the key that presses it, where one does. */
export function Button({ word, press, look = "secondary", off = false, letter }: { word: Word; press: () => void; look?: "primary" | "secondary" | "danger" | "plain"; off?: boolean; letter?: string }) {
  return (
    <button type="button" class={look} disabled={off} onClick={press}>
      {t(word)} {letter && <Key of={letter} />}
    </button>
  );
}

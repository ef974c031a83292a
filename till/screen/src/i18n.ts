// The screen's own words, in the language of the page. What the terminal says comes in both languages from the terminal.

import { signal } from "@preact/signals-core";

import type { Word } from "./words.ts";

export type Language = "en" | "ar";
export type { Word };

/** The language of the page: what it begins with is the page's to say. */
export const language = signal<Language>("en");

/** isolate keeps a number or a name in a sentence of another direction from turning it round (UAX 9, first strong isolate). */
export const isolate = (s: string | number): string => "\u2068" + String(s) + "\u2069";

/** t is a text in the language of the page. {name} in it stands for what is given under that name. */
export function t(word: Word, values: Record<string, string | number> = {}): string {
  return word[language.value === "ar" ? 1 : 0].replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? isolate(values[name]!) : whole));
}

/** either is the terminal's own text in the language of the page, where the terminal has it. */
export function either(english: string | undefined, arabic: string | undefined): string {
  return (language.value === "ar" ? arabic || english : english || arabic) ?? "";
}

/** direction is the page's, by its language. */
export const direction = (l: Language): "ltr" | "rtl" => (l === "ar" ? "rtl" : "ltr");

// What a browser keeps: language and settings, and nothing else.

import { effect, signal } from "@preact/signals-core";

import { direction, language } from "./i18n.ts";
import type { Language } from "./i18n.ts";
import type { Digits } from "./money.ts";

interface Kept {
  language: Language;
  digits: Digits;
  sound: boolean;
  speech: boolean;
  shortcuts: boolean; // letters as keys: who uses speech input switches them off (WCAG 2.1.4)
}

const name = "tillway";

function read(): Kept {
  const out: Kept = { language: navigator.language.startsWith("ar") ? "ar" : "en", digits: "latin", sound: true, speech: false, shortcuts: true };
  try {
    const had = JSON.parse(localStorage.getItem(name) ?? "{}") as Partial<Kept>;
    if (had.language === "en" || had.language === "ar") out.language = had.language;
    if (had.digits === "latin" || had.digits === "arabic") out.digits = had.digits;
    for (const k of ["sound", "speech", "shortcuts"] as const) if (typeof had[k] === "boolean") out[k] = had[k];
  } catch {
    // unreadable, or a browser that keeps nothing: the settings that it begins with
  }
  return out;
}

const first = read();
export const digits = signal(first.digits);
export const sound = signal(first.sound);
export const speech = signal(first.speech);
export const shortcuts = signal(first.shortcuts);

/** begin sets the page's language and direction, and keeps what is changed. */
export function begin(): void {
  language.value = first.language;
  effect(() => {
    document.documentElement.lang = language.value;
    document.documentElement.dir = direction(language.value);
    const all: Kept = { language: language.value, digits: digits.value, sound: sound.value, speech: speech.value, shortcuts: shortcuts.value };
    try {
      localStorage.setItem(name, JSON.stringify(all));
    } catch {
      // it works without
    }
  });
}

// Amount entry: what the cashier types, and the one button that sends it.

import { signal } from "@preact/signals-core";

import { ask } from "../api.ts";
import { While } from "../draw.ts";
import { about, action, blank, fields, lacks, next, open, order as orderOf, press, shown, total } from "../entry.ts";
import type { Entry, Field } from "../entry.ts";
import { t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { Keys } from "../keys.ts";
import { minorOf } from "../money.ts";
import { shortcuts } from "../settings.ts";
import { entry, go, kindWords, live, may, order, ordering, seen, status } from "../store.ts";
import { taken } from "../types.ts";
import type { Kind, Sale } from "../types.ts";
import { Icon } from "./icons.tsx";
import { Key, Money, currency, inWords, masked, numerals, stateWord } from "./parts.tsx";
import * as w from "../words.ts";

const letters: [string, Kind][] = [["S", "sale"], ["R", "refund"], ["V", "void"], ["P", "preauth"], ["I", "increment"], ["C", "completion"], ["B", "balance"], ["F", "forced"]];
const primary: Record<Kind, Word> = {
  sale: w.doSale, refund: w.refund, void: w.doVoid, preauth: w.doPreauth, increment: w.doIncrement, completion: w.doCompletion, balance: w.doBalance, forced: w.doForced,
};
const needs: Record<Field | "auth", Word> = { amount: w.needAmount, of: w.needOf, auth: w.needAuth, tip: w.needAmount, cashback: w.needAmount };
const fieldWords: Record<Field, Word> = { of: w.ofNumber, amount: w.amount, tip: w.tip, cashback: w.cashback };
const partLetter = { tip: "T", cashback: "K" } as const;

const hint = signal<"" | "implied" | Word>("");
const found = signal<{ id: string; sale: Sale | null } | null>(null); // the earlier payment that the typed number names

/** submit orders what is typed; where something is missing it says what, and goes there. */
export function submit(): void {
  const e = entry.value;
  const lack = lacks(e);
  if (lack === "auth") document.getElementById("auth")?.focus();
  else if (lack) entry.value = { ...e, field: lack };
  if (lack) {
    hint.value = needs[lack];
    return;
  }
  hint.value = "";
  void order(orderOf(e, currency()));
}

export function digit(key: string): void {
  hint.value = "";
  seen();
  entry.value = press(entry.value, key);
}

function choose(kind: Kind): void {
  hint.value = "";
  const e = entry.value;
  entry.value = e.kind === kind ? e : { ...blank(kind), amount: fields(kind).includes("amount") ? e.amount : "" };
}

/** keys are those of the entry, and of every scene that may give way to a new one. */
export function entryKey(key: string): boolean {
  if (/^\d$/.test(key)) digit(key);
  else if (key === "Backspace") digit("back");
  else if (key === "Enter") submit();
  else if (key === "Escape") entry.value = blank(entry.value.amount || entry.value.of ? entry.value.kind : "sale");
  else if (key === "." || key === "," || key === "٫") hint.value = "implied";
  else if (key === "ArrowDown" || key === "ArrowUp") entry.value = next(entry.value);
  else if (key === "T" || key === "K") entry.value = open(entry.value, key === "T" ? "tip" : "cashback");
  else {
    const kind = letters.find(([letter]) => letter === key)?.[1];
    if (!kind || !kinds().includes(kind)) return false;
    choose(kind);
  }
  return true;
}

const kinds = (): Kind[] => status.value?.terminal.kinds ?? ["sale"];

/** beginWith opens the entry for an order about an earlier payment. */
export function beginWith(kind: Kind, sale: Sale): void {
  seen();
  entry.value = about(kind, sale.id, kind === "void" || kind === "increment" ? 0 : taken(sale).minor);
  go("sell");
}

/** again opens the entry with what a payment was for: the cashier still has to order it. */
export function again(sale: Sale): void {
  seen();
  const e: Entry = { ...blank(sale.kind), amount: String(sale.amount.minor - (sale.tip?.minor ?? 0) - (sale.cashback?.minor ?? 0)), reference: sale.reference ?? "", referenced: !!sale.reference };
  if (sale.of) e.of = String(sale.of);
  for (const part of ["tip", "cashback"] as const) {
    const was = sale[part];
    if (was?.minor) {
      e.parts = [...e.parts, part];
      e[part] = String(was.minor);
    }
  }
  entry.value = e;
}

function lookUp(of: string): (() => void) | undefined {
  found.value = null;
  if (of === "") return undefined;
  const soon = setTimeout(() => {
    void ask<Sale>("/v1/sales/" + of).then((a) => {
      if (entry.value.of === of) found.value = { id: of, sale: a.kind === "done" ? a.data : null };
    });
  }, 250);
  return () => clearTimeout(soon);
}

function takeFocus(): void {
  if (document.activeElement === document.body || document.activeElement === null) document.getElementById("amount")?.focus({ preventScroll: true });
}

export function EntryView() {
  const e = entry.value;
  const busy = ordering.value !== "idle";
  const worth = e.kind === "void" ? found.value?.sale && taken(found.value.sale) : { minor: total(e), currency: currency() };
  const of = fields(e.kind).includes("of") ? e.of : "";
  return (
    <section class="entry" aria-label={t(kindWords[e.kind])}>
      <Keys to={entryKey} />
      <While is={[of]} run={() => lookUp(of)} />
      <While is={[]} run={takeFocus} />
      <Kinds />
      <div class="fields" tabIndex={-1} id="amount">
        {shown(e).map((f) => (
          <FieldRow key={f} field={f} />
        ))}
        {e.kind === "forced" && (
          <label class="text-field">
            <span>{t(w.auth)}</span>
            <input
              id="auth" type="text" dir="ltr" maxLength={6} autocomplete="off" autocapitalize="characters" spellcheck={false} value={e.auth}
              onInput={(ev) => (entry.value = { ...e, auth: ev.currentTarget.value.replace(/[^0-9A-Za-z]/g, "") })}
              onKeyDown={(ev) => ev.key === "Enter" && !ev.repeat && submit()}
            />
          </label>
        )}
        {e.referenced && (
          <label class="text-field">
            <span>{t(w.reference)}</span>
            <input
              type="text" maxLength={32} autocomplete="off" value={e.reference} dir="auto"
              onInput={(ev) => (entry.value = { ...e, reference: ev.currentTarget.value })}
              onKeyDown={(ev) => ev.key === "Enter" && !ev.repeat && submit()}
            />
          </label>
        )}
      </div>
      <div class="under">
        <p class="hint" role="status">{hintText(e)}</p>
        <Extras />
      </div>
      <Keypad />
      <button type="button" class="primary charge" disabled={!live.value || busy} onClick={submit}>
        <span>
          {t(primary[e.kind])} {worth && worth.minor > 0 && <Money of={worth} />}
        </span>
        {e.kind !== "void" && !may(action(orderOf(e, currency()))) && <small>{t(w.needsSupervisor)}</small>}
        <Key of="⏎" />
      </button>
    </section>
  );
}

function hintText(e: Entry): string {
  if (ordering.value === "again") return t(w.orderLost);
  if (ordering.value === "sending") return t(w.ordering);
  if (hint.value === "implied") {
    const sample = "5000";
    return t(w.implied, { digits: numerals(sample), amount: inWords({ minor: minorOf(sample), currency: currency() }) });
  }
  if (hint.value) return t(hint.value);
  if (fields(e.kind).includes("of") && e.of !== "") {
    const f = found.value;
    if (f?.id !== e.of) return t(w.lookingUp);
    if (!f.sale) return t(w.ofNone);
    return t(w.ofThat, { kind: t(kindWords[f.sale.kind]), id: f.sale.id, amount: inWords(taken(f.sale)), state: stateWord(f.sale) }) + (f.sale.pan ? " · \u2066" + masked(f.sale.pan) + "\u2069" : "");
  }
  const words: Partial<Record<Kind, Word>> = { refund: w.refundFree, forced: w.forcedHint, void: w.voidHint, balance: w.balanceHint };
  const word = words[e.kind];
  if (word) return t(word);
  return e.parts.length ? t(w.total) + ": " + inWords({ minor: total(e), currency: currency() }) : "";
}

function Kinds() {
  return (
    <div class="kinds" role="group" aria-label={t(w.kinds)}>
      {letters.filter(([, k]) => kinds().includes(k)).map(([letter, kind]) => (
        <button type="button" key={kind} class="kind" aria-pressed={entry.value.kind === kind} onClick={() => choose(kind)}>
          {t(kindWords[kind])} {shortcuts.value && <Key of={letter} />}
        </button>
      ))}
    </div>
  );
}

function FieldRow({ field }: { field: Field }) {
  const e = entry.value;
  const text = e[field];
  const on = e.field === field;
  const name = t(field === "of" && e.kind === "refund" ? w.ofOptional : fieldWords[field]);
  return (
    <button type="button" class={"field" + (on ? " on" : "") + (field === "amount" ? " big" : "")} aria-pressed={on} onClick={() => (entry.value = { ...e, field })}>
      <span class="field-name">{name}</span>{" "}
      <output class="field-value" aria-live={on ? "polite" : "off"}>
        {field === "of" ? <bdi dir="ltr">{text === "" ? "–" : numerals(text)}</bdi> : <Money of={{ minor: minorOf(text), currency: currency() }} class={text === "" ? "empty" : ""} />}
      </output>
    </button>
  );
}

function Extras() {
  const e = entry.value;
  return (
    <div class="extras">
      {e.kind === "sale" &&
        (["tip", "cashback"] as const).map((part) => (
          <button type="button" key={part} class="extra" aria-pressed={e.parts.includes(part)} onClick={() => (entry.value = open(e, part))}>
            {t(part === "tip" ? w.tip : w.cashback)} {shortcuts.value && <Key of={partLetter[part]} />}
          </button>
        ))}
      <button type="button" class="extra" aria-pressed={e.referenced} onClick={() => (entry.value = { ...e, referenced: !e.referenced, reference: "" })}>
        {t(w.addReference)}
      </button>
    </div>
  );
}

const pad = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "000", "0"];

/** Keypad is for fingers. Its buttons do not take the focus: Enter stays the order's. */
function Keypad() {
  return (
    <div class="keypad" role="group" aria-label={t(w.keypad)} dir="ltr" onPointerDown={(ev) => ev.preventDefault()}>
      {pad.map((k) => (
        <button type="button" key={k} onClick={() => digit(k)}>
          {numerals(k)}
        </button>
      ))}
      <button type="button" aria-label={t(w.back)} onClick={() => digit("back")}>
        <Icon name="back" />
      </button>
    </div>
  );
}

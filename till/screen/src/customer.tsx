// The customer's display: a second window that needs nobody's hand. It shows what the terminal says of this payment, in the
// card's language once that is known and in Arabic with English under it before.

import "./customer.css";

import { computed, effect, signal } from "@preact/signals-core";

import { ask } from "./api.ts";
import { draw } from "./draw.ts";
import { follow } from "./events.ts";
import { plain, type Amount } from "./money.ts";
import type { Sale, StateEvent, Status } from "./types.ts";
import { final } from "./types.ts";
import { remaining, view, type View } from "./customer-view.ts";
import { unit, words, type Pair } from "./customer-words.ts";

const state = signal<StateEvent | null>(null);
const sale = signal<Sale | null>(null);
const terminal = signal<Status["terminal"] | null>(null);
const now = signal(Date.now());
const seen = computed(() => view(state.value, sale.value, now.value));

type Languages = View["languages"];

/** Both is a text in the languages of the moment, the first of them large. */
function Both({ text, languages }: { text: Pair; languages: Languages }) {
  const shown = languages.filter((l, i) => i === 0 || text[l] !== text[languages[0]!]);
  return (
    <>
      {shown.map((l) => (
        <span key={l} lang={l} dir={l === "ar" ? "rtl" : "ltr"} class={l === languages[0] ? "first" : "second"}>
          {text[l]}
        </span>
      ))}
    </>
  );
}

/** Money never turns round: number and unit stand in isolates of their own, and the digits are Latin, as on a price tag. */
function Money({ amount, languages }: { amount: Amount; languages: Languages }) {
  const exponent = terminal.value?.exponent;
  if (exponent === undefined) return null; // an amount without its decimals is another amount
  const name = unit(amount.currency);
  const number = <bdi dir="ltr" class="number">{plain(amount.minor, exponent)}</bdi>;
  const units = <span class="unit">{languages.map((l) => <bdi key={l} lang={l}>{name[l]}</bdi>)}</span>;
  if (languages[0] === "en") return <span class="money" dir="ltr">{units} {number}</span>;
  return <span class="money" dir="rtl">{number} {units}</span>;
}

/** Dots are the digits of a PIN by their number. */
function Dots({ digits }: { digits: number }) {
  return (
    <span class="dots" aria-hidden="true">
      {Array.from({ length: Math.max(4, Math.min(digits, 12)) }, (_, i) => (
        <i key={i} class={i < digits ? "on" : ""} />
      ))}
    </span>
  );
}

const signs = {
  good: <path d="M12 33 l13 13 l28 -30" />,
  bad: <path d="M16 16 l32 32 M48 16 l-32 32" />,
  over: <path d="M14 32 h36" />,
};

/** Picture says the same as the words, for who reads neither language. */
function Picture({ mood }: { mood: View["mood"] }) {
  if (mood === "good" || mood === "bad" || mood === "over") {
    return <svg class="sign" viewBox="0 0 64 64" aria-hidden="true">{signs[mood]}</svg>;
  }
  if (mood === "card" || mood === "remove" || mood === "pin") {
    return (
      <svg class={"terminal " + mood} viewBox="0 0 120 132" aria-hidden="true">
        <rect class="body" x="26" y="4" width="68" height="84" rx="9" />
        <rect class="glass" x="36" y="14" width="48" height="20" rx="3" />
        {[0, 1, 2].map((y) => [0, 1, 2].map((x) => <rect key={`${x}${y}`} class="key" x={38 + x * 16} y={43 + y * 12} width="12" height="7" rx="2" />))}
        <g class="plastic">
          <rect x="38" y="84" width="44" height="44" rx="5" />
          <rect class="chip" x="54" y="92" width="12" height="10" rx="2" />
        </g>
        <rect class="lip" x="30" y="80" width="60" height="8" rx="3" />
      </svg>
    );
  }
  if (mood === "wait") return <span class="busy" aria-hidden="true"><i /><i /><i /></span>;
  return null;
}

function Page() {
  const v = seen.value;
  const lead = v.languages[0]!;
  return (
    <main class={"display " + v.mood} lang={lead} dir={lead === "ar" ? "rtl" : "ltr"}>
      {v.training && <p class="training"><Both text={words.training} languages={["ar", "en"]} /></p>}
      <div class="middle">
        {v.amount && (
          <p class="amount">
            {v.label && <span class="label"><Both text={v.label} languages={v.languages} /></span>}
            <Money amount={v.amount} languages={v.languages} />
          </p>
        )}
        {v.lines.length > 0 && (
          <dl>
            {v.lines.map((l, i) => (
              <div key={i}>
                <dt><Both text={l.what} languages={v.languages} /></dt>
                <dd><Money amount={l.amount} languages={v.languages} /></dd>
              </div>
            ))}
          </dl>
        )}
        <Picture mood={v.mood} />
        <div class="say" role="status" aria-live="polite">
          <h1><Both text={v.head} languages={v.languages} /></h1>
          {v.digits !== undefined && <p class="visually-hidden">{v.digits}</p>}
          {v.below && <p class="below"><Both text={v.below} languages={v.languages} /></p>}
        </div>
        {v.digits !== undefined && <Dots digits={v.digits} />}
        {v.display.length > 0 && <ul class="register">{v.display.map((line, i) => <li key={i} lang={line.language} dir={line.language === "ar" ? "rtl" : "ltr"}>{line.text}</li>)}</ul>}
      </div>
      <p class="shop"><bdi>{terminal.value?.merchant ?? ""}</bdi></p>
    </main>
  );
}

// What the snapshot leaves out of a sale is asked for once it is there, and again when the cashier is asked to agree: only then the
// record has what the bank approved.
let about = "";
effect(() => {
  const s = state.value?.snapshot;
  const key = s?.sale && !final(s.state) ? `${s.sale} ${s.state.startsWith("Agreement") ? s.state : ""}` : "";
  if (key === about) return;
  about = key;
  if (key === "") {
    sale.value = null;
    return;
  }
  void ask<Sale>(`/v1/sales/${s!.sale}`).then((a) => {
    if (about === key && a.kind === "done") sale.value = a.data;
  });
});

// An outcome goes by itself: nobody's amount stays for the next customer.
let fading: ReturnType<typeof setTimeout> | undefined;
effect(() => {
  clearTimeout(fading);
  const s = state.value?.snapshot;
  if (!s?.last || !final(s.state)) return;
  const left = remaining(s.last, Date.now());
  if (left > 0) fading = setTimeout(() => (now.value = Date.now()), left + 50);
});

// Whoever logs out at the cashier's window logs this one out too: it waits, and looks again.
const again = 3_000;

function connect() {
  void ask<Status>("/v1/status").then((a) => {
    if (a.kind === "done") terminal.value = a.data.terminal;
  });
  follow("/v1/events", {
    open: () => undefined,
    lost: () => (state.value = null),
    refused: () => {
      state.value = null;
      setTimeout(connect, again);
    },
    event: (e) => {
      if (e.event !== "state") return;
      now.value = Date.now();
      state.value = JSON.parse(e.data) as StateEvent;
    },
  });
}

connect();
draw(() => <Page />);

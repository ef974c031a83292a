// A payment that runs: what it waits for, what the customer sees, and the questions that it asks the cashier.

import { signal } from "@preact/signals-core";

import { ask } from "../api.ts";
import { While } from "../draw.ts";
import { either, t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { Keys } from "../keys.ts";
import { play } from "../sound.ts";
import { cancel, live, paper, post, snapshot } from "../store.ts";
import { partial } from "../types.ts";
import type { Sale, Snapshot, State } from "../types.ts";
import { Icon } from "./icons.tsx";
import type { IconName } from "./icons.tsx";
import { Button, Money, numerals } from "./parts.tsx";
import * as w from "../words.ts";

const current = signal<Sale | null>(null); // the running payment's record, where a question needs more than the state

const cancelable: State[] = ["AwaitCard", "CardTalk"];

function waitsFor(s: Snapshot): Word {
  if (s.confirm || s.state.startsWith("Agreement")) return w.waitAnswer;
  if (s.pin) return w.waitPIN;
  switch (s.state) {
    case "AwaitCard":
      return w.waitCard;
    case "CardTalk":
      return w.waitCardTalk;
    case "Sending":
    case "Asking":
      return w.waitBank;
    default:
      return w.waitFinish;
  }
}

function picture(s: Snapshot): IconName {
  if (s.confirm) return "warn";
  if (s.state.startsWith("Agreement")) return "sign";
  if (s.pin) return "lock";
  if (s.state === "AwaitCard" || s.state === "CardTalk") return "card";
  return s.state === "Sending" || s.state === "Asking" ? "host" : "wait";
}

/** An answer that the running payment waits for. */
interface Asked {
  title: Word;
  yes: Word;
  no: Word;
  answer(yes: boolean): void;
}

function asked(s: Snapshot): Asked | null {
  const at = "/v1/sales/" + s.sale;
  if (s.confirm) return { title: w.sameTitle, yes: w.sameYes, no: w.sameNo, answer: (meant) => void post(at + "/confirmation", { meant }, "cancel") };
  if (!s.state.startsWith("Agreement")) return null;
  const sale = current.value?.id === s.sale ? current.value : null;
  if (sale && partial(sale)) return { title: w.partTitle, yes: w.partYes, no: w.partNo, answer: (agreed) => void post(at + "/agreement", { agreed }, "signature") };
  if (sale) return { title: w.signTitle, yes: w.signYes, no: w.signNo, answer: (matches) => void post(at + "/signature", { matches }, "signature") };
  return null;
}

export function RunningView() {
  const s = snapshot.value!;
  const q = asked(s);
  const can = cancelable.includes(s.state);
  const wantsRecord = s.state.startsWith("Agreement") || !!s.confirm;
  const begin = () => {
    current.value = null;
    if (!wantsRecord) return;
    play("ask");
    void ask<Sale>("/v1/sales/" + s.sale).then((a) => {
      if (a.kind === "done") current.value = a.data;
    });
  };
  const onKey = (key: string) => {
    if (key === "Escape" && can && live.value) void cancel();
    else if (q && live.value && (key === "Y" || key === "N")) q.answer(key === "Y");
    else if (key !== "Enter") return false;
    return true;
  };
  const at = ["AwaitCard", "CardTalk"].includes(s.state) ? 0 : q || ["Sending", "Asking"].includes(s.state) ? 1 : 2; // a question is not the end
  return (
    <section class="running" aria-label={t(w.sale)}>
      <Keys to={onKey} />
      <While is={[s.sale, s.state, wantsRecord]} run={begin} />
      <ol class="steps" aria-hidden="true">
        {[w.stepCard, w.stepBank, w.stepDone].map((word, i) => (
          <li key={word[0]} class={i < at ? "past" : i === at ? "now" : ""}>{t(word)}</li>
        ))}
      </ol>
      <div class={"picture" + (q ? " still" : "")}>
        <Icon name={picture(s)} />
      </div>
      {s.amount && <Money of={s.amount} class="huge" />}
      <div role="status" aria-live="assertive" class="prompt">
        <p class="prompt-text">{q ? t(q.title) : either(s.text, s.text_ar) || t(waitsFor(s))}</p>
        <p class="prompt-waits">{either(s.warning, s.warning_ar)}</p>
        <p class="prompt-waits">{either(s.advice, s.advice_ar) || t(waitsFor(s))}</p>
      </div>
      {s.pin && (
        <div class="pin" role="img" aria-label={t(w.pinDigits, { count: s.pin.digits })}>
          {Array.from({ length: Math.max(4, s.pin.digits) }, (_, i) => (
            <span key={i} class={i < s.pin!.digits ? "dot full" : "dot"} />
          ))}
        </div>
      )}
      {s.pin?.socket && <p class="aside">{t(w.pinSocket)}</p>}
      {q ? (
        <div class="choices">
          <Button look="primary" word={q.yes} off={!live.value} letter="Y" press={() => q.answer(true)} />
          <Button look="danger" word={q.no} off={!live.value} letter="N" press={() => q.answer(false)} />
          {current.value?.signature && (
            <Button look="plain" word={w.showSlip} press={() => void paper(t(w.merchantCopy), "/v1/sales/" + s.sale + "/receipt?copy=merchant&original=true")} />
          )}
        </div>
      ) : can ? (
        <Button word={w.cancel} off={!live.value} letter="Esc" press={() => void cancel()} />
      ) : (
        <p class="aside">{t(w.tooLate)}</p>
      )}
      <p class="aside">
        {t(w.number)} <bdi>{numerals(s.sale ?? "")}</bdi>
      </p>
    </section>
  );
}

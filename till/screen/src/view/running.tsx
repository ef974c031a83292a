// A payment that runs: what it waits for, what the customer sees, and the questions that it asks the cashier.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { ask } from "../api.ts";
import { either, t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { useKeys } from "../keys.ts";
import { play } from "../sound.ts";
import { cancel, live, paper, post, snapshot } from "../store.ts";
import type { Sale, Snapshot, State } from "../types.ts";
import { Icon } from "./icons.tsx";
import type { IconName } from "./icons.tsx";
import { Key, Money, inWords, numerals, partial } from "./parts.tsx";

const current = signal<Sale | null>(null); // the running payment's record, where a question needs more than the state

const cancelable: State[] = ["AwaitCard", "CardTalk"];

function waitsFor(s: Snapshot): Word {
  if (s.confirm || s.state.startsWith("Agreement")) return "waitAnswer";
  if (s.pin) return "waitPIN";
  switch (s.state) {
    case "AwaitCard":
      return "waitCard";
    case "CardTalk":
      return "waitCardTalk";
    case "Sending":
    case "Asking":
      return "waitBank";
    default:
      return "waitFinish";
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
  const at = "/v1/sales/" + String(s.sale);
  if (s.confirm) return { title: "sameTitle", yes: "sameYes", no: "sameNo", answer: (meant) => void post(at + "/confirmation", { meant }, "cancel") };
  if (!s.state.startsWith("Agreement")) return null;
  const sale = current.value?.id === s.sale ? current.value : null;
  if (sale && partial(sale)) return { title: "partTitle", yes: "partYes", no: "partNo", answer: (agreed) => void post(at + "/agreement", { agreed }, "signature") };
  if (sale) return { title: "signTitle", yes: "signYes", no: "signNo", answer: (matches) => void post(at + "/signature", { matches }, "signature") };
  return null;
}

export function RunningView() {
  const s = snapshot.value!;
  const q = asked(s);
  const can = cancelable.includes(s.state);
  const wantsRecord = s.state.startsWith("Agreement") || !!s.confirm;
  useEffect(() => {
    current.value = null;
    if (!wantsRecord) return;
    play("ask");
    void ask<Sale>("/v1/sales/" + String(s.sale)).then((a) => {
      if (a.kind === "done") current.value = a.data;
    });
  }, [s.sale, s.state, wantsRecord]);
  useKeys((key) => {
    if (key === "Escape" && can && live.value) void cancel();
    else if (q && live.value && (key === "Y" || key === "N")) q.answer(key === "Y");
    else if (key !== "Enter") return false;
    return true;
  });
  const at = ["AwaitCard", "CardTalk"].includes(s.state) ? 0 : ["Sending", "Asking"].includes(s.state) ? 1 : 2;
  return (
    <section class="running" aria-label={t("sale")}>
      <ol class="steps" aria-hidden="true">
        {(["stepCard", "stepBank", "stepDone"] as const).map((w, i) => (
          <li key={w} class={i < at ? "past" : i === at ? "now" : ""}>{t(w)}</li>
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
        {q && current.value && partial(current.value) && <PartText sale={current.value} />}
      </div>
      {s.pin && (
        <div class="pin" role="img" aria-label={t("pinDigits", { count: s.pin.digits })}>
          {Array.from({ length: Math.max(4, s.pin.digits) }, (_, i) => (
            <span key={i} class={i < s.pin!.digits ? "dot full" : "dot"} />
          ))}
        </div>
      )}
      {s.pin?.socket && <p class="aside">{t("pinSocket")}</p>}
      {q ? (
        <div class="choices">
          <button type="button" class="primary" disabled={!live.value} onClick={() => q.answer(true)}>
            {t(q.yes)} <Key of="Y" />
          </button>
          <button type="button" class="danger" disabled={!live.value} onClick={() => q.answer(false)}>
            {t(q.no)} <Key of="N" />
          </button>
          {current.value?.signature && (
            <button type="button" class="plain" onClick={() => void paper(t("merchantCopy"), "/v1/sales/" + String(s.sale) + "/receipt?copy=merchant&original=true")}>
              {t("showSlip")}
            </button>
          )}
        </div>
      ) : can ? (
        <button type="button" class="secondary" disabled={!live.value} onClick={() => void cancel()}>
          {t("cancel")} <Key of="Esc" />
        </button>
      ) : (
        <p class="aside">{t("tooLate")}</p>
      )}
      <p class="aside">
        {t("number")} <bdi>{numerals(String(s.sale))}</bdi>
      </p>
    </section>
  );
}

function PartText({ sale }: { sale: Sale }) {
  const rest = { minor: sale.amount.minor - sale.approved!.minor, currency: sale.amount.currency };
  return <p class="prompt-waits">{t("partOf", { part: inWords(sale.approved!), amount: inWords(sale.amount), rest: inWords(rest) })}</p>;
}

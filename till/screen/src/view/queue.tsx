// What the bank has not acknowledged yet, why each of it waits, and what a person may decide.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import type { Amount } from "../money.ts";
import { call, go, live, post, said, snapshot, sure } from "../store.ts";
import type { Kind } from "../types.ts";
import { Icon } from "./icons.tsx";
import { age, Latin, masked, Money, numerals } from "./parts.tsx";

interface Debt {
  id: number;
  sale: number;
  kind: string;
  stan: number;
  state: string;
  since?: string;
  attempts: number;
  sale_kind?: Kind;
  amount?: Amount;
  pan?: string;
  waits: string;
  waits_ar?: string;
}

interface Queue {
  waiting: number;
  parked: number;
  sum: Amount;
  oldest?: string;
  debts: Debt[];
}

const queue = signal<Queue | null>(null);
const asking = signal(false);

async function load(ask: boolean): Promise<void> {
  if (asking.value) return;
  asking.value = true;
  const a = await call<Queue>("/v1/queue", {}, ask ? "queue" : "", t("queuePlace"));
  asking.value = false;
  if (a.kind === "done") queue.value = a.data;
  else if (ask || a.kind === "lost") said(a);
  else queue.value = null;
}

const kindWords: Record<string, Word> = { reversal: "reversal", advice: "advice", deferred: "kept" };

async function decide(d: Debt, what: "retry" | "retry?asked=true" | "park"): Promise<void> {
  if (what === "park" && (await sure(t("park"), t("parkText"), t("park"))) === null) return;
  await post(`/v1/queue/${String(d.id)}/${what}`, {}, what === "park" ? "write_off" : "send", t(what === "park" ? "park" : "retry"));
  await load(true);
}

async function writeOff(d: Debt): Promise<void> {
  const note = await sure(t("writeOffTitle"), t("writeOffText"), t("writeOffDo"), true);
  if (note === null) return;
  await post(`/v1/queue/${String(d.id)}/write-off`, { note }, "write_off", t("writeOff"));
  await load(true);
}

export function QueueView() {
  const s = snapshot.value;
  useEffect(() => {
    void load(false);
  }, [s?.owed, s?.parked, s?.host.ok, s?.journal]);
  const q = queue.value;
  return (
    <section class="page" aria-label={t("queuePlace")}>
      <h1>{t("queueTitle")}</h1>
      {s && (
        <p class="big-line">
          <bdi>{numerals(String(s.owed + s.parked))}</bdi> {s.owed_sum && <Money of={s.owed_sum} />} {s.oldest && t("sinceWhen", { age: age(s.oldest) })}
        </p>
      )}
      {s && s.owed + s.parked === 0 && <p role="status">{t("queueNothing")}</p>}
      <div class="choices">
        <button type="button" class="primary" disabled={!live.value || s?.owed === 0} onClick={() => void post("/v1/queue/send", {}, "send", t("sendNow"), "sent")}>
          {t("sendNow")}
        </button>
        {!q && (
          <button type="button" class="secondary" disabled={!live.value} onClick={() => void load(true)}>
            {t("show")}: {t("needsSupervisor")}
          </button>
        )}
      </div>
      {!q && <p class="aside">{t("queueHidden")}</p>}
      <ul class="cards">{q?.debts.map((d) => <DebtCard key={d.id} debt={d} />)}</ul>
    </section>
  );
}

function DebtCard({ debt: d }: { debt: Debt }) {
  const parked = d.state === "Parked";
  return (
    <li class={"card" + (parked ? " careful" : "")}>
      <h2>
        <Icon name={parked ? "warn" : "wait"} /> {t(kindWords[d.kind] ?? "waiting")} <bdi>{numerals(String(d.id))}</bdi>: {t(parked ? "parked" : "waiting")}
      </h2>
      <p>
        {d.amount && <Money of={d.amount} />} {d.sale_kind && t(d.sale_kind)} <bdi>{numerals(String(d.sale))}</bdi> <Latin>{masked(d.pan)}</Latin>
      </p>
      <p dir="auto">{d.waits}</p>
      <p class="aside">
        {d.since && t("sinceWhen", { age: age(d.since) })} · {t("attempts", { count: d.attempts })} · STAN <Latin>{d.stan}</Latin>
      </p>
      <div class="choices">
        {parked ? (
          <>
            <button type="button" class="secondary" onClick={() => void decide(d, "retry")}>{t("retry")}</button>
            <button type="button" class="secondary" onClick={() => void decide(d, "retry?asked=true")}>
              {t("retry")}: {t("asked")}
            </button>
            <button type="button" class="danger" onClick={() => void writeOff(d)}>{t("writeOff")}</button>
          </>
        ) : (
          <button type="button" class="secondary" onClick={() => void decide(d, "park")}>{t("park")}</button>
        )}
        <button type="button" class="plain" onClick={() => go("sales", d.sale)}>{t("look")}</button>
      </div>
    </li>
  );
}

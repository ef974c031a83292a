// What the bank has not acknowledged yet, why each of it waits, and what a person may decide.

import { signal } from "@preact/signals-core";

import { While } from "../draw.ts";
import { t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import type { Amount } from "../money.ts";
import { call, go, kindWords, live, post, said, snapshot, sure } from "../store.ts";
import type { Kind } from "../types.ts";
import { Icon } from "./icons.tsx";
import { Button, age, Latin, masked, Money, numerals } from "./parts.tsx";
import * as w from "../words.ts";

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
  const a = await call<Queue>("/v1/queue", {}, ask ? "queue" : "", t(w.queue));
  asking.value = false;
  if (a.kind === "done") queue.value = a.data;
  else if (ask || a.kind === "lost") said(a);
  else queue.value = null;
}

const debtWords: Record<string, Word> = { reversal: w.reversal, advice: w.approvedOffline, deferred: w.kept };

async function decide(d: Debt, what: "retry" | "retry?asked=true" | "park"): Promise<void> {
  if (what === "park" && (await sure(t(w.park), t(w.parkText), t(w.park))) === null) return;
  await post(`/v1/queue/${String(d.id)}/${what}`, {}, what === "park" ? "write_off" : "send", t(what === "park" ? w.park : w.retry));
  await load(true);
}

async function writeOff(d: Debt): Promise<void> {
  const note = await sure(t(w.writeOffTitle), t(w.writeOffText), t(w.writeOff), true);
  if (note === null) return;
  await post(`/v1/queue/${String(d.id)}/write-off`, { note }, "write_off", t(w.writeOff));
  await load(true);
}

export function QueueView() {
  const s = snapshot.value;
  const q = queue.value;
  const waits = !!s && s.owed + s.parked > 0;
  return (
    <section class="page" aria-label={t(w.queue)}>
      <While is={[s?.owed, s?.parked, s?.host.ok, s?.journal]} run={() => void load(false)} />
      <h1>{t(w.queueTitle)}</h1>
      {s && waits && (
        <p class="big-line">
          <bdi>{numerals(s.owed + s.parked)}</bdi> {s.owed_sum && <Money of={s.owed_sum} />} {s.oldest && t(w.sinceWhen, { age: age(s.oldest) })}
        </p>
      )}
      {s && !waits && <p role="status">{t(w.queueNothing)}</p>}
      <div class="choices">
        <Button look="primary" word={w.sendNow} off={!live.value || s?.owed === 0} press={() => void post("/v1/queue/send", {}, "send", t(w.sendNow), w.sent)} />
        {!q && waits && (
          <button type="button" class="secondary" disabled={!live.value} onClick={() => void load(true)}>
            {t(w.show)}: {t(w.needsSupervisor)}
          </button>
        )}
      </div>
      {!q && waits && <p class="aside">{t(w.queueHidden)}</p>}
      <ul class="cards">{q?.debts.map((d) => <DebtCard key={d.id} debt={d} />)}</ul>
    </section>
  );
}

function DebtCard({ debt: d }: { debt: Debt }) {
  const parked = d.state === "Parked";
  return (
    <li class={"card" + (parked ? " careful" : "")}>
      <h2>
        <Icon name={parked ? "warn" : "wait"} /> {t(debtWords[d.kind] ?? w.waiting)} <bdi>{numerals(d.id)}</bdi>: {t(parked ? w.parked : w.waiting)}
      </h2>
      <p>
        {d.amount && <Money of={d.amount} />} {d.sale_kind && t(kindWords[d.sale_kind])} <bdi>{numerals(d.sale)}</bdi> <Latin>{masked(d.pan)}</Latin>
      </p>
      <p dir="auto">{d.waits}</p>
      <p class="aside">
        {d.since && t(w.sinceWhen, { age: age(d.since) })} · {t(w.attempts, { count: d.attempts })} · STAN <Latin>{d.stan}</Latin>
      </p>
      <div class="choices">
        {parked ? (
          <>
            <Button word={w.retry} press={() => void decide(d, "retry")} />
            <button type="button" class="secondary" onClick={() => void decide(d, "retry?asked=true")}>
              {t(w.retry)}: {t(w.asked)}
            </button>
            <Button look="danger" word={w.writeOff} press={() => void writeOff(d)} />
          </>
        ) : (
          <Button word={w.park} press={() => void decide(d, "park")} />
        )}
        <Button look="plain" word={w.look} press={() => go("sales", d.sale)} />
      </div>
    </li>
  );
}

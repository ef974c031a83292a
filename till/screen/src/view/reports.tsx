// The day: totals so far, of the last day, and its end with the proof of it.

import { effect, signal } from "@preact/signals-core";

import { t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { live, paper, post, printer, snapshot, sure } from "../store.ts";
import type { Batch } from "../types.ts";
import { Button, inWords, numerals, when } from "./parts.tsx";
import * as w from "../words.ts";

const leave = signal(false);
const ending = signal(0); // the batch whose end was wanted here: its proof is shown as soon as there is one

effect(() => {
  const b = snapshot.value?.batch;
  const number = ending.value;
  if (!b || !number || b.number <= number || b.settling?.some((one) => one.number === number && one.state !== "Disputed")) return;
  ending.value = 0;
  void showProof(number);
});

const showProof = (number: number): Promise<void> => paper(t(w.proof), "/v1/settle?" + (number ? "batch=" + String(number) : ""));

const stateWords: Record<string, Word> = { Open: w.stOpen, Draining: w.stDraining, Totalling: w.stTotalling, Uploading: w.stUploading, Closing: w.stClosing, Disputed: w.stDisputed, Closed: w.stClosed };

const showReport = (which: "x" | "z") =>
  void paper(t(which === "x" ? w.xReport : w.zReport), "/v1/report/" + which + "?", printer.value ? () => void post("/v1/printer/print", { what: "report", report: which }, "report", "", w.printed) : undefined);

async function settle(batch = 0): Promise<void> {
  if ((await sure(t(w.settle), t(w.settleText), t(w.settle))) === null) return;
  const b = await post<Batch>("/v1/settle", { leave_parked: leave.value, ...(batch && { batch }) }, "settle", t(w.settle), w.settleStarted);
  if (b) ending.value = b.number;
}

async function closeByHand(b: Batch): Promise<void> {
  const note = await sure(t(w.closeByHand), t(w.closeText), t(w.closeByHand), true);
  if (note !== null) await post(`/v1/settle/${String(b.number)}/close`, { note }, "close_batch", t(w.closeByHand));
}

export function ReportsView() {
  const s = snapshot.value;
  const b = s?.batch;
  const on = live.value;
  return (
    <section class="page" aria-label={t(w.reports)}>
      <h1>{t(w.reports)}</h1>
      {b && (
        <p class="big-line">
          {t(w.batch)} <bdi>{numerals(b.number)}</bdi>: {t(w.batchState, { count: numerals(b.count), sum: b.sum ? inWords(b.sum) : "0" })}
        </p>
      )}
      {b?.cut_off && <p class="aside">{t(w.cutOff, { time: when(b.cut_off) })}</p>}
      <div class="choices">
        <Button word={w.xReport} off={!on} press={() => showReport("x")} />
        <Button word={w.zReport} off={!on} press={() => showReport("z")} />
        <Button word={w.proof} off={!on} press={() => void showProof(0)} />
      </div>
      <h2>{t(w.settle)}</h2>
      <p>{t(w.settleText)}</p>
      {!!s?.parked && (
        <label class="tick">
          <input type="checkbox" checked={leave.value} onChange={(e) => (leave.value = e.currentTarget.checked)} /> {t(w.leaveParked)} ({t(w.parkedCount, { count: s.parked })})
        </label>
      )}
      <div class="choices">
        <Button look="primary" word={w.settle} off={!on} press={() => void settle()} />
      </div>
      <ul class="cards" role="status">
        {b?.settling?.map((one) => (
          <li key={one.number} class={"card" + (one.state === "Disputed" ? " careful" : "")}>
            <h3>{t(w.settling, { number: one.number, state: t(stateWords[one.state] ?? w.waiting) })}</h3>
            {one.reason && <p dir="auto">{one.reason}</p>}
            <div class="choices">
              {one.state === "Draining" && <Button word={w.callOff} press={() => void post("/v1/settle/call-off", {}, "settle", t(w.callOff))} />}
              {one.state === "Disputed" && (
                <>
                  <Button word={w.sendTotals} press={() => void settle(one.number)} />
                  <Button look="danger" word={w.closeByHand} press={() => void closeByHand(one)} />
                </>
              )}
              <Button look="plain" word={w.proof} press={() => void showProof(one.number)} />
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

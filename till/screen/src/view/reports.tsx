// The day: totals so far, of the last day, and its end with the proof of it.

import { signal } from "@preact/signals";

import { t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { live, paper, post, printer, snapshot, sure } from "../store.ts";
import type { Batch } from "../types.ts";
import { inWords, numerals, when } from "./parts.tsx";

const leave = signal(false);

const stateWords: Record<string, Word> = { Open: "stOpen", Draining: "stDraining", Totalling: "stTotalling", Uploading: "stUploading", Closing: "stClosing", Disputed: "stDisputed", Closed: "stClosed" };

const showReport = (which: "x" | "z") =>
  void paper(t(which === "x" ? "xReport" : "zReport"), "/v1/report/" + which + "?", printer.value ? () => void post("/v1/printer/print", { what: "report", report: which }, "report", "", "printed") : undefined);

async function settle(batch = 0): Promise<void> {
  if ((await sure(t("settle"), t("settleText"), t("settleDo"))) === null) return;
  await post("/v1/settle", { leave_parked: leave.value, ...(batch && { batch }) }, "settle", t("settle"), "settleStarted");
}

async function closeByHand(b: Batch): Promise<void> {
  const note = await sure(t("closeByHand"), t("closeText"), t("closeByHand"), true);
  if (note !== null) await post(`/v1/settle/${String(b.number)}/close`, { note }, "close_batch", t("closeByHand"));
}

export function ReportsView() {
  const s = snapshot.value;
  const b = s?.batch;
  const on = live.value;
  return (
    <section class="page" aria-label={t("reports")}>
      <h1>{t("reports")}</h1>
      {b && (
        <p class="big-line">
          {t("batch")} <bdi>{numerals(String(b.number))}</bdi>: {t("batchState", { count: numerals(String(b.count)), sum: b.sum ? inWords(b.sum) : "0" })}
        </p>
      )}
      {b?.cut_off && <p class="aside">{t("cutOff", { time: when(b.cut_off) })}</p>}
      <div class="choices">
        <button type="button" class="secondary" disabled={!on} onClick={() => showReport("x")}>{t("xReport")}</button>
        <button type="button" class="secondary" disabled={!on} onClick={() => showReport("z")}>{t("zReport")}</button>
        <button type="button" class="secondary" disabled={!on} onClick={() => void paper(t("proof"), "/v1/settle?")}>{t("proof")}</button>
      </div>
      <h2>{t("settle")}</h2>
      <p>{t("settleText")}</p>
      {!!s?.parked && (
        <label class="tick">
          <input type="checkbox" checked={leave.value} onChange={(e) => (leave.value = e.currentTarget.checked)} /> {t("leaveParked")} ({t("parkedCount", { count: s.parked })})
        </label>
      )}
      <div class="choices">
        <button type="button" class="primary" disabled={!on} onClick={() => void settle()}>{t("settleDo")}</button>
      </div>
      <ul class="cards" role="status">
        {b?.settling?.map((one) => (
          <li key={one.number} class={"card" + (one.state === "Disputed" ? " careful" : "")}>
            <h3>{t("settling", { number: one.number, state: t(stateWords[one.state] ?? "waiting") })}</h3>
            {one.reason && <p dir="auto">{one.reason}</p>}
            <div class="choices">
              {one.state === "Draining" && <button type="button" class="secondary" onClick={() => void post("/v1/settle/call-off", {}, "settle", t("callOff"))}>{t("callOff")}</button>}
              {one.state === "Disputed" && (
                <>
                  <button type="button" class="secondary" onClick={() => void settle(one.number)}>{t("sendTotals")}</button>
                  <button type="button" class="danger" onClick={() => void closeByHand(one)}>{t("closeByHand")}</button>
                </>
              )}
              <button type="button" class="plain" onClick={() => void paper(t("proof"), "/v1/settle?batch=" + String(one.number))}>{t("proof")}</button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

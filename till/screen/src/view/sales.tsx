// Payments: the last ones, the search, and one of them whole.

import { signal } from "@preact/signals-core";

import { ask } from "../api.ts";
import { While } from "../draw.ts";
import { either, t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { latinDigit, parse } from "../money.ts";
import { at, call, go, kindWords, model, printer, said } from "../store.ts";
import { taken } from "../types.ts";
import type { Kind, Sale } from "../types.ts";
import { beginWith } from "./entry.tsx";
import { Icon } from "./icons.tsx";
import { printCopy, showCopy } from "./outcome.tsx";
import { Button, exponent, Fact, Latin, masked, Money, numerals, stateWord, toneIcon, verdict, when } from "./parts.tsx";
import * as w from "../words.ts";

/** SaleRow is one payment in a list. */
export function SaleRow({ sale }: { sale: Sale }) {
  const v = verdict(sale);
  return (
    <li>
      <button type="button" class="row" onClick={() => go("sales", sale.id)}>
        <span class={"mark " + v.tone}>
          <Icon name={toneIcon[v.tone]} />
        </span>
        <span class="row-main">
          <Money of={sale.kind === "balance" && sale.balance ? sale.balance : taken(sale)} />
          <small>
            {t(kindWords[sale.kind])} <bdi>{numerals(sale.id)}</bdi> · {stateWord(sale)}
          </small>
        </span>
        <span class="row-end">
          <Latin>{when(sale.updated)}</Latin>
          <small>
            <Latin>{masked(sale.pan)}</Latin>
          </small>
        </span>
      </button>
    </li>
  );
}

export function Recent() {
  return (
    <aside class="recent" aria-label={t(w.recent)}>
      <h2>{t(w.recent)}</h2>
      {model.value.recent.length === 0 ? <p class="aside">{t(w.none)}</p> : <ul class="rows">{model.value.recent.slice(0, 8).map((s) => <SaleRow key={s.id} sale={s} />)}</ul>}
      <Button look="plain" word={w.all} press={() => go("sales")} />
    </aside>
  );
}

type By = "amount" | "pan" | "reference" | "id" | "rrn" | "stan" | "auth";
const bys: [By, Word][] = [["amount", w.amount], ["pan", w.byCard], ["reference", w.reference], ["id", w.number], ["rrn", w.rrn], ["stan", w.stan], ["auth", w.authCode]];
const states: [string, Word][] = [["Approved", w.approved], ["Declined", w.declined], ["Cancelled", w.cancelled], ["Reversed", w.reversed]];
const kindList: Kind[] = ["sale", "refund", "void", "preauth", "increment", "completion", "balance", "forced"];

interface Found {
  query: string;
  sales: Sale[];
  next: number;
}
const results = signal<Found | null>(null);
const wrong = signal(false);

async function look(query: string, before = 0): Promise<void> {
  const a = await call<{ sales: Sale[]; next?: number }>("/v1/sales?last=30" + query + (before ? "&before=" + String(before) : ""));
  if (!said(a) || a.kind !== "done") return;
  const had = before ? (results.value?.sales ?? []) : [];
  results.value = { query, sales: [...had, ...a.data.sales], next: a.data.next ?? 0 };
}

function search(ev: Event): void {
  ev.preventDefault();
  const form = new FormData(ev.currentTarget as HTMLFormElement);
  const of = (name: string) => String(form.get(name) ?? "").trim();
  const by = of("by") as By;
  let value = by === "reference" ? of("value") : [...of("value")].map((c) => latinDigit(c) || c).join("");
  wrong.value = false;
  if (by === "id" && value) return /^\d{1,15}$/.test(value) ? go("sales", Number(value)) : void (wrong.value = true);
  if (by === "amount" && value) {
    const minor = parse(value, exponent());
    if (minor === null) return void (wrong.value = true);
    value = String(minor);
  }
  const q = new URLSearchParams();
  if (value) q.set(by, value);
  for (const name of ["from", "to", "state", "kind"]) if (of(name)) q.set(name, of(name));
  void look("&" + q.toString());
}

export function SalesView() {
  if (at.value.sale) return <SaleView id={at.value.sale} />;
  const r = results.value;
  const list = r?.sales ?? model.value.recent;
  return (
    <section class="page" aria-label={t(w.sales)}>
      <h1>{t(w.sales)}</h1>
      <form class="search" role="search" onSubmit={search}>
        <label>
          <span>{t(w.searchBy)}</span>
          <select name="by">
            {bys.map(([value, word]) => (
              <option key={value} value={value}>
                {t(word)}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>{t(w.searchValue)}</span>
          <input name="value" type="text" autocomplete="off" dir="auto" maxLength={64} aria-invalid={wrong.value} />
        </label>
        <label>
          <span>{t(w.fromDay)}</span>
          <input name="from" type="date" />
        </label>
        <label>
          <span>{t(w.toDay)}</span>
          <input name="to" type="date" />
        </label>
        <label>
          <span>{t(w.state)}</span>
          <select name="state">
            <option value="">{t(w.any)}</option>
            {states.map(([value, word]) => (
              <option key={value} value={value}>
                {t(word)}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>{t(w.kind)}</span>
          <select name="kind">
            <option value="">{t(w.any)}</option>
            {kindList.map((k) => (
              <option key={k} value={k}>
                {t(kindWords[k])}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" class="primary">
          {t(w.find)}
        </button>
        {r && (
          <button type="reset" class="secondary" onClick={() => (results.value = null)}>
            {t(w.reset)}
          </button>
        )}
      </form>
      <div role="status">
        {wrong.value && <p class="aside">{t(w.nothingFound)}</p>}
        {list.length === 0 && <p class="aside">{t(r ? w.nothingFound : w.none)}</p>}
      </div>
      <ul class="rows wide">{list.map((s) => <SaleRow key={s.id} sale={s} />)}</ul>
      {(r ? r.next > 0 : list.length >= 20) && (
        <Button word={w.nextPage} press={() => void look(r?.query ?? "", r ? r.next : list.at(-1)!.id)} />
      )}
    </section>
  );
}

interface Why {
  outcome?: Sale["outcome"];
  since?: { sale: number; kind: Kind; amount: Sale["amount"]; time: string }[];
  steps: { seq: number; time: string; kind: string; from?: string; event?: string; to?: string; duties?: string[]; note?: string }[];
  why: { bit: string; reason: string }[];
}

const one = signal<{ id: number; sale: Sale | null; why: Why | null } | null>(null);

function SaleView({ id }: { id: number }) {
  const fromStream = model.value.recent.find((s) => s.id === id);
  const load = () => {
    void Promise.all([call<Sale>("/v1/sales/" + id), ask<Why>("/v1/sales/" + id + "/why")]).then(([s, w]) => {
      said(s);
      one.value = { id, sale: s.kind === "done" ? s.data : null, why: w.kind === "done" ? w.data : null };
    });
  };
  const got = one.value?.id === id ? one.value : null;
  const sale = got?.sale ?? fromStream;
  return (
    <section class="page" aria-label={t(w.sales)}>
      <While is={[id, fromStream?.updated]} run={load} />
      <Button look="plain" word={w.all} press={() => go("sales")} />
      {sale ? <SaleWhole sale={sale} why={got?.why ?? null} /> : <p role="status">{got ? t(w.ofNone) : t(w.lookingUp)}</p>}
    </section>
  );
}

function SaleWhole({ sale, why }: { sale: Sale; why: Why | null }) {
  const v = verdict(sale);
  const approved = sale.state === "Approved";
  const follow: Kind[] = !approved ? [] : sale.kind === "sale" || sale.kind === "forced" || sale.kind === "completion" ? ["void", "refund"] : sale.kind === "preauth" ? ["completion", "increment", "void"] : sale.kind === "refund" || sale.kind === "increment" ? ["void"] : [];
  return (
    <>
      <h1 class={"sale-title " + v.tone}>
        <Icon name={toneIcon[v.tone]} /> {t(kindWords[sale.kind])} <bdi>{numerals(sale.id)}</bdi>: {stateWord(sale)}
      </h1>
      {sale.training && <strong>{t(w.trainingFrame)}</strong>}
      <Money of={sale.kind === "balance" && sale.balance ? sale.balance : taken(sale)} class="huge" />
      <p>
        {either(sale.outcome?.happened, sale.outcome?.happened_ar)} {either(sale.outcome?.do, sale.outcome?.do_ar)}
      </p>
      <div class="choices">
        {printer.value && <button type="button" class="primary" onClick={() => void printCopy(sale, "customer")}>{t(w.print)}: {t(w.customerCopy)}</button>}
        <button type="button" class="secondary" onClick={() => showCopy(sale, "customer")}>{t(w.show)}: {t(w.customerCopy)}</button>
        <button type="button" class="secondary" onClick={() => showCopy(sale, "merchant")}>{t(w.show)}: {t(w.merchantCopy)}</button>
        {follow.map((k) => (
          <button type="button" key={k} class="secondary" onClick={() => beginWith(k, sale)}>
            {t(kindWords[k])}
          </button>
        ))}
      </div>
      <SaleFacts sale={sale} />
      {why && <WhyTables why={why} />}
    </>
  );
}

function SaleFacts({ sale }: { sale: Sale }) {
  const codes: [Word, string | number | undefined][] = [
    [w.authCode, sale.auth], [w.rrn, sale.rrn], [w.stan, sale.stan], [w.rc, sale.rc], [w.batch, sale.batch], [w.reference, sale.reference], [w.by, sale.by], [w.hostText, sale.host_text], [w.orderKey, sale.key],
  ];
  return (
    <dl class="facts">
      <Fact name={w.time}>
        <Latin>{when(sale.updated)}</Latin>
      </Fact>
      <Fact name={w.stepCard}>{sale.pan ? <Latin>{(sale.label ? sale.label + " " : "") + masked(sale.pan)}</Latin> : t(w.noCard)}</Fact>
      {sale.tip && (
        <Fact name={w.tip}>
          <Money of={sale.tip} />
        </Fact>
      )}
      {sale.cashback && (
        <Fact name={w.cashback}>
          <Money of={sale.cashback} />
        </Fact>
      )}
      {sale.of && (
        <Fact name={w.ofSale}>
          <button type="button" class="plain" onClick={() => go("sales", sale.of)}>
            <bdi>{numerals(sale.of)}</bdi>
          </button>
        </Fact>
      )}
      {codes.map(([name, value]) => value !== undefined && value !== "" && (
        <Fact key={name} name={name}>
          <Latin>{value}</Latin>
        </Fact>
      ))}
    </dl>
  );
}

function WhyTables({ why }: { why: Why }) {
  return (
    <>
      {why.since && why.since.length > 0 && (
        <>
          <h2>{t(w.since)}</h2>
          <ul class="rows">
            {why.since.map((s) => (
              <li key={s.sale}>
                <button type="button" class="row" onClick={() => go("sales", s.sale)}>
                  <span class="row-main">
                    {t(kindWords[s.kind])} <bdi>{numerals(s.sale)}</bdi>
                  </span>
                  <Money of={s.amount} />
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
      <details>
        <summary>
          {t(w.why)}: {t(w.whySteps)}
        </summary>
        <div class="scroll" tabIndex={0} role="region" aria-label={t(w.whySteps)}>
          <table dir="ltr" lang="en">
            <tbody>
              {why.steps.map((s) => (
                <tr key={s.seq}>
                  <td>{when(s.time)}</td>
                  <td>{s.kind}</td>
                  <td>{s.event}</td>
                  <td>{s.to}</td>
                  <td>{[s.duties?.join(", "), s.note].filter(Boolean).join(" · ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {why.why.length > 0 && (
          <>
            <h3>{t(w.whyReasons)}</h3>
            <ul dir="ltr" lang="en">
              {why.why.map((w) => (
                <li key={w.bit + w.reason}>
                  <code>{w.bit}</code> {w.reason}
                </li>
              ))}
            </ul>
          </>
        )}
      </details>
    </>
  );
}

// The rest: who is logged in, printer and drawer, training, settings, and what this terminal is.

import type { ReadonlySignal, Signal } from "@preact/signals-core";

import { language, t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { digits, shortcuts, sound, speech } from "../settings.ts";
import { call, live, me, post, printer, said, sessionChanged, snapshot, status, sure, training } from "../store.ts";
import type { Health } from "../types.ts";
import { Button, Fact, Latin } from "./parts.tsx";
import { logInNow } from "./strip.tsx";
import * as w from "../words.ts";

export function MoreView() {
  return (
    <section class="page more" aria-label={t(w.more)}>
      <h1>{t(w.more)}</h1>
      <div class="tiles">
        <Person />
        <Training />
        <Printing />
        <Settings />
        <Parts />
        <About />
      </div>
    </section>
  );
}

function Person() {
  const who = me.value?.role ? me.value.name : "";
  return (
    <div class="tile">
      <h2>{who ? t(w.loggedIn, { name: who }) : t(w.nobody)}</h2>
      <div class="choices">
        {!who && <Button word={w.logIn} off={!live.value} press={() => void logInNow()} />}
        {who && (
          <Button word={w.logOut} press={() => void call("/v1/logout", { method: "POST" }).then((a) => said(a) && sessionChanged())} />
        )}
      </div>
    </div>
  );
}

function Training() {
  const on = training.value;
  return (
    <div class="tile">
      <h2>{t(w.training)}</h2>
      <p>{t(w.trainingText)}</p>
      <Button word={on ? w.trainingOff : w.trainingOn} off={!live.value} press={() => void post("/v1/training", { on: !on }, "training", t(w.training))} />
    </div>
  );
}

function Printing() {
  const p = printer.value;
  const on = live.value;
  const drop = async () => {
    if ((await sure(t(w.drop), t(w.dropText), t(w.drop))) !== null) await post("/v1/printer/drop", {}, "print", t(w.drop));
  };
  return (
    <div class="tile">
      <h2>{t(w.printer)}</h2>
      {p ? <p dir="auto">{p.ready ? t(w.printerReady) : p.cause}</p> : <p>{t(w.noPrinter)}</p>}
      {p?.held && <p>{t(w.printerHeld, { what: `${p.held.what} ${p.held.sale ?? ""}` })}</p>}
      {p && (
        <div class="choices">
          {p.held && <Button look="primary" word={w.resume} off={!on} press={() => void post("/v1/printer/resume", {}, "print", t(w.resume))} />}
          {p.waiting > 0 && <Button look="danger" word={w.drop} off={!on} press={() => void drop()} />}
          <Button word={w.printTest} off={!on} press={() => void post("/v1/printer/print", { what: "test" }, "print", t(w.printTest), w.printed)} />
          <Button word={w.openDrawer} off={!on} press={() => void post("/v1/drawer", {}, "drawer", t(w.openDrawer), w.drawerOpen)} />
        </div>
      )}
    </div>
  );
}

function Pick<T extends string | boolean>({ name, of, values }: { name: Word; of: Signal<T>; values: [T, string][] }) {
  return (
    <div class="pick" role="group" aria-label={t(name)}>
      <span aria-hidden="true">{t(name)}</span>
      <span class="pick-values">
        {values.map(([value, text]) => (
          <button type="button" key={text} aria-pressed={of.value === value} onClick={() => (of.value = value)}>{text}</button>
        ))}
      </span>
    </div>
  );
}

function Settings() {
  const onOff: [boolean, string][] = [[true, t(w.on)], [false, t(w.off)]];
  return (
    <div class="tile">
      <h2>{t(w.settings)}</h2>
      <Pick name={w.languageIs} of={language} values={[["en", "English"], ["ar", "العربية"]]} />
      {language.value === "ar" && <Pick name={w.digits} of={digits} values={[["latin", t(w.digitsLatin)], ["arabic", t(w.digitsArabic)]]} />}
      <Pick name={w.sound} of={sound} values={onOff} />
      <Pick name={w.speech} of={speech} values={onOff} />
      <Pick name={w.shortcuts} of={shortcuts} values={onOff} />
      <p>
        <a href="/customer" target="tillway-customer" rel="noopener">{t(w.customerPage)}</a>
      </p>
    </div>
  );
}

function HealthLine({ name, of }: { name: Word; of: Health }) {
  return (
    <li>
      <strong>{t(name)}</strong>: {of.ok ? t(w.ready) : t(w.notReady)} <span dir="auto">{of.name}{of.cause ? ": " + of.cause : ""}</span>
    </li>
  );
}

function Parts() {
  const s = snapshot.value;
  const keys = status.value?.keys;
  if (!s) return null;
  return (
    <div class="tile">
      <h2>{t(w.statusBar)}</h2>
      <ul>
        <HealthLine name={w.reader} of={s.reader} />
        {s.stripe && <HealthLine name={w.stripe} of={s.stripe} />}
        <HealthLine name={w.stepBank} of={s.host} />
        {keys && <HealthLine name={w.keys} of={keys} />}
      </ul>
    </div>
  );
}

function About() {
  const own = (status as ReadonlySignal<typeof status.value>).value?.terminal;
  if (!own) return null;
  return (
    <div class="tile">
      <h2>{t(w.about)}</h2>
      <dl class="facts">
        <Fact name={w.terminalId}><Latin>{own.tid}</Latin></Fact>
        <Fact name={w.merchantId}><Latin>{own.mid}</Latin></Fact>
        <Fact name={w.profile}><Latin>{own.profile}</Latin></Fact>
        <Fact name={w.version}><Latin>{own.version}</Latin></Fact>
      </dl>
    </div>
  );
}

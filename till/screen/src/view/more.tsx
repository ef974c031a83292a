// The rest: who is logged in, printer and drawer, training, settings, and what this terminal is.

import type { ReadonlySignal, Signal } from "@preact/signals";

import { language, t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { digits, shortcuts, sound, speech } from "../settings.ts";
import { call, live, me, post, printer, said, sessionChanged, snapshot, status, sure, training } from "../store.ts";
import type { Health } from "../types.ts";
import { Fact, Latin } from "./parts.tsx";
import { logInNow } from "./strip.tsx";

export function MoreView() {
  return (
    <section class="page more" aria-label={t("more")}>
      <h1>{t("more")}</h1>
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
      <h2>{who ? t("loggedIn", { name: who }) : t("nobody")}</h2>
      <div class="choices">
        <button type="button" class="secondary" disabled={!live.value} onClick={() => void logInNow()}>{t("logIn")}</button>
        {who && (
          <button type="button" class="secondary" onClick={() => void call("/v1/logout", { method: "POST" }).then((a) => said(a) && sessionChanged())}>{t("logOut")}</button>
        )}
      </div>
    </div>
  );
}

function Training() {
  const on = training.value;
  return (
    <div class="tile">
      <h2>{t("training")}</h2>
      <p>{t("trainingText")}</p>
      <button type="button" class="secondary" disabled={!live.value} onClick={() => void post("/v1/training", { on: !on }, "training", t("training"))}>{t(on ? "trainingOff" : "trainingOn")}</button>
    </div>
  );
}

function Printing() {
  const p = printer.value;
  const on = live.value;
  const drop = async () => {
    if ((await sure(t("drop"), t("dropText"), t("drop"))) !== null) await post("/v1/printer/drop", {}, "print", t("drop"));
  };
  return (
    <div class="tile">
      <h2>{t("printer")}</h2>
      {p ? <p dir="auto">{p.ready ? t("printerReady") : p.cause}</p> : <p>{t("noPrinter")}</p>}
      {p?.held && <p>{t("printerHeld", { what: `${p.held.what} ${p.held.sale ?? ""}` })}</p>}
      {p && (
        <div class="choices">
          {p.held && <button type="button" class="primary" disabled={!on} onClick={() => void post("/v1/printer/resume", {}, "print", t("resume"))}>{t("resume")}</button>}
          {p.waiting > 0 && <button type="button" class="danger" disabled={!on} onClick={() => void drop()}>{t("drop")}</button>}
          <button type="button" class="secondary" disabled={!on} onClick={() => void post("/v1/printer/print", { what: "test" }, "print", t("printTest"), "printed")}>{t("printTest")}</button>
          <button type="button" class="secondary" disabled={!on} onClick={() => void post("/v1/drawer", {}, "drawer", t("openDrawer"), "drawerOpen")}>{t("openDrawer")}</button>
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
  const onOff: [boolean, string][] = [[true, t("on")], [false, t("off")]];
  return (
    <div class="tile">
      <h2>{t("settings")}</h2>
      <Pick name="languageIs" of={language} values={[["en", "English"], ["ar", "العربية"]]} />
      {language.value === "ar" && <Pick name="digits" of={digits} values={[["latin", t("digitsLatin")], ["arabic", t("digitsArabic")]]} />}
      <Pick name="sound" of={sound} values={onOff} />
      <Pick name="speech" of={speech} values={onOff} />
      <Pick name="shortcuts" of={shortcuts} values={onOff} />
      <p>
        <a href="/customer" target="tillway-customer" rel="noopener">{t("customerPage")}</a>
      </p>
    </div>
  );
}

function HealthLine({ name, of }: { name: Word; of: Health }) {
  return (
    <li>
      <strong>{t(name)}</strong>: {of.ok ? t("ready") : t("notReady")} <span dir="auto">{of.name}{of.cause ? ": " + of.cause : ""}</span>
    </li>
  );
}

function Parts() {
  const s = snapshot.value;
  const keys = status.value?.keys;
  if (!s) return null;
  return (
    <div class="tile">
      <h2>{t("statusBar")}</h2>
      <ul>
        <HealthLine name="reader" of={s.reader} />
        {s.stripe && <HealthLine name="stripe" of={s.stripe} />}
        <HealthLine name="host" of={s.host} />
        {keys && <HealthLine name="keys" of={keys} />}
      </ul>
    </div>
  );
}

function About() {
  const own = (status as ReadonlySignal<typeof status.value>).value?.terminal;
  if (!own) return null;
  return (
    <div class="tile">
      <h2>{t("about")}</h2>
      <dl class="facts">
        <Fact name="terminalId"><Latin>{own.tid}</Latin></Fact>
        <Fact name="merchantId"><Latin>{own.mid}</Latin></Fact>
        <Fact name="profile"><Latin>{own.profile}</Latin></Fact>
        <Fact name="version"><Latin>{own.version}</Latin></Fact>
      </dl>
    </div>
  );
}

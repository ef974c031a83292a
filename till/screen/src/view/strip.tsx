// The strip that is always there: reader, bank, queue, printer, batch, training, and who is logged in. What is not well says why below.

import { signal } from "@preact/signals-core";

import { isolate, t } from "../i18n.ts";
import { call, go, live, logIn, me, model, printer, said, sessionChanged, snapshot, status, training } from "../store.ts";
import { Icon } from "./icons.tsx";
import type { IconName } from "./icons.tsx";
import { age, inWords, numerals } from "./parts.tsx";
import * as w from "../words.ts";

const tick = signal(0); // ages go on while nothing happens
setInterval(() => tick.value++, 30_000);

function Chip({ icon, name, value, bad, fine, press }: { icon: IconName; name: string; value: string; bad?: boolean; fine?: boolean; press: () => void }) {
  return (
    <button type="button" class={"chip" + (bad ? " bad" : fine ? " fine" : "")} onClick={press}>
      <Icon name={icon} />
      <span class="chip-name">{name}</span> <span class="chip-value">{value}</span>
    </button>
  );
}

async function logOut() {
  if (said(await call("/v1/logout", { method: "POST" }))) sessionChanged();
}

export async function logInNow() {
  await logIn();
}

export function Strip() {
  const s = snapshot.value;
  const p = printer.value;
  void tick.value;
  const who = me.value?.name && me.value.role ? me.value.name : "";
  return (
    <header class="strip" aria-label={t(w.statusBar)}>
      <span class="shop">{status.value?.terminal.merchant ?? "Tillway"}</span>
      {s && (
        <>
          <Chip icon="reader" name={t(w.reader)} value={t(s.reader.ok ? w.ready : w.notReady)} bad={!s.reader.ok} fine press={() => go("more")} />
          <Chip icon="host" name={t(w.stepBank)} value={t(s.host.ok ? w.ready : w.notReady)} bad={!s.host.ok} fine press={() => go("queue")} />
          <Chip
            icon="queue" name={t(w.queue)} bad={s.parked > 0} fine={s.owed === 0} press={() => go("queue")}
            value={queueWords(s)}
          />
          {p && <Chip icon="printer" name={t(w.printer)} value={p.waiting ? t(w.printerWaits, { count: p.waiting }) : t(p.ready ? w.ready : w.notReady)} bad={!p.ready} press={() => go("more")} />}
          {s.batch && (
            <Chip
              icon="batch" name={t(w.batch) + " " + numerals(s.batch.number)} press={() => go("reports")} bad={!!s.batch.warning}
              value={t(w.batchState, { count: numerals(s.batch.count), sum: s.batch.sum ? inWords(s.batch.sum) : "0" })}
            />
          )}
        </>
      )}
      {training.value && <Chip icon="school" name={t(w.trainingMode)} value={t(w.on)} bad press={() => go("more")} />}
      <Chip icon="person" name={who || t(w.nobody)} value={who ? t(w.logOut) : t(w.logIn)} press={() => void (who ? logOut() : logInNow())} />
    </header>
  );
}

type Snap = NonNullable<typeof snapshot.value>;

function queueWords(s: Snap): string {
  if (s.owed + s.parked === 0) return t(w.queueEmpty);
  const words = [numerals(s.owed + s.parked)];
  if (s.owed_sum) words.push(isolate(inWords(s.owed_sum)));
  if (s.oldest) words.push(t(w.queueState, { age: age(s.oldest) }));
  if (s.parked) words.push(t(w.parkedCount, { count: numerals(s.parked) }));
  return words.join(" · ");
}

/** Troubles are the sentences below the strip: each says what is wrong. */
export function Troubles() {
  const s = snapshot.value;
  const p = printer.value;
  const m = model.value;
  const list: { key: string; text: string; bad: boolean }[] = [];
  if (!live.value && m.link !== "login") {
    const time = m.at ? new Date(m.at).toTimeString().slice(0, 8) : "";
    list.push({ key: "lost", bad: true, text: m.at ? t(w.lost, { time }) : t(m.link === "connecting" ? w.connecting : w.lostFirst) });
  } else if (s) {
    if (!s.reader.ok) list.push({ key: "reader", bad: true, text: t(w.unplugged, { cause: s.reader.cause || s.reader.state }) });
    if (!s.host.ok) list.push({ key: "host", bad: false, text: t(w.hostDown, { cause: s.host.cause || s.host.state }) });
    for (const w of s.host.warnings ?? []) list.push({ key: w, bad: false, text: w });
    if (p && !p.ready) list.push({ key: "printer", bad: false, text: t(w.printerDown, { cause: p.cause ?? "" }) });
    if (s.batch?.warning) list.push({ key: "batch", bad: false, text: s.batch.warning });
    for (const b of s.batch?.settling ?? []) if (b.state === "Disputed") list.push({ key: "b" + String(b.number), bad: true, text: t(w.disputed, { number: b.number }) });
    if (s.quarantined) list.push({ key: "rows", bad: true, text: t(w.quarantined, { count: s.quarantined }) });
    if (s.clock) list.push({ key: "clock", bad: true, text: s.clock });
  }
  return (
    <div class="troubles" role="status" aria-live="polite">
      {list.map((one) => (
        <p key={one.key} class={"trouble" + (one.bad ? " bad" : "")}>
          <Icon name="warn" />
          <span>{one.text}</span>
        </p>
      ))}
    </div>
  );
}

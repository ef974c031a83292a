// The whole screen.

import { either, language, t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { at, go, inScene, live, me, model, notice, ordering, out, seen, sessionChanged, snapshot, training } from "../store.ts";
import type { Place } from "../store.ts";
import { Dialogs, LogInForm, ProblemText, shopName } from "./dialogs.tsx";
import { EntryView } from "./entry.tsx";
import { Icon } from "./icons.tsx";
import type { IconName } from "./icons.tsx";
import { MoreView } from "./more.tsx";
import { Button, Money } from "./parts.tsx";
import { CardLeft, OutcomeView } from "./outcome.tsx";
import { QueueView } from "./queue.tsx";
import { ReportsView } from "./reports.tsx";
import { RunningView } from "./running.tsx";
import { Recent, SalesView } from "./sales.tsx";
import { Strip, Troubles } from "./strip.tsx";
import * as w from "../words.ts";

const places: [Place, Word, IconName][] = [["sell", w.sell, "sell"], ["sales", w.sales, "sales"], ["queue", w.queue, "queue"], ["reports", w.reports, "reports"], ["more", w.more, "more"]];

function Nav() {
  return (
    <nav class="places" aria-label={t(w.places)}>
      {places.map(([place, word, icon]) => (
        <a key={place} href={"#/" + place} aria-current={at.value.place === place ? "page" : undefined}>
          <Icon name={icon} />
          <span>{t(word)}</span>
        </a>
      ))}
      <button type="button" class="language" lang={language.value === "en" ? "ar" : "en"} onClick={() => (language.value = language.value === "en" ? "ar" : "en")}>
        {t(w.otherLanguage)}
      </button>
    </nav>
  );
}

function NoticeLine() {
  const n = notice.value;
  return (
    <div class="notice-place" role={n && !n.good ? "alert" : "status"}>
      {n && (
        <div class={"notice" + (n.good ? " good" : " bad")}>
          <Icon name={n.good ? "yes" : "warn"} />
          <p>{n.problem ? <ProblemText of={n.problem} /> : n.text && t(n.text)}</p>
          <Button look="plain" word={w.close} press={() => (notice.value = null)} />
        </div>
      )}
    </div>
  );
}

/** Sell is what the till is for: the amount, the payment, how it ended. */
function Sell() {
  const what = inScene.value;
  return (
    <div class="sell">
      {what === "running" ? <RunningView key={snapshot.value!.sale} /> : what === "outcome" ? <OutcomeView key={model.value.shown!.id} /> : me.value ? <EntryView /> : <p class="entry">{t(w.connecting)}</p>}
      <Recent />
    </div>
  );
}

/** Elsewhere reminds, on every other place, of a payment that runs. */
function Elsewhere() {
  if (inScene.value !== "running") return null;
  const s = snapshot.value!;
  return (
    <button type="button" class="elsewhere" onClick={() => go("sell")}>
      <Icon name="card" /> {s.amount && <Money of={s.amount} />} {s.confirm || s.state.startsWith("Agreement") ? t(w.waitAnswer) : either(s.text, s.text_ar)}
    </button>
  );
}

function Main() {
  const place = at.value.place;
  if (out.value && (place !== "sell" || inScene.value === "entry"))
    return (
      <main class="log-in" id="main">
        <Troubles />
        <CardLeft />
        <div class="card">
          <h1>{shopName()}</h1>
          <h2>{t(w.logInTitle)}</h2>
          <LogInForm done={sessionChanged} />
        </div>
      </main>
    );
  return (
    <main id="main">
      <Troubles />
      <NoticeLine />
      <CardLeft />
      {place !== "sell" && <Elsewhere />}
      {place === "sell" ? <Sell /> : place === "sales" ? <SalesView /> : place === "queue" ? <QueueView /> : place === "reports" ? <ReportsView /> : <MoreView />}
    </main>
  );
}

export function App() {
  return (
    <div class={"app" + (training.value ? " training" : "") + (live.value || model.value.link === "login" ? "" : " stale") + (ordering.value !== "idle" ? " busy" : "")}>
      {training.value && (
        <p class="training-mark" role="status">
          <Icon name="school" /> {t(w.trainingFrame)}
        </p>
      )}
      <Strip />
      {!out.value && <Nav />}
      <Main />
      <Dialogs />
    </div>
  );
}

export { seen };

// The whole screen.

import { language, t } from "../i18n.ts";
import type { Word } from "../i18n.ts";
import { at, go, inScene, live, model, notice, ordering, seen, sessionChanged, snapshot, training } from "../store.ts";
import type { Place } from "../store.ts";
import { Dialogs, LogInForm, ProblemText, shopName } from "./dialogs.tsx";
import { EntryView } from "./entry.tsx";
import { Icon } from "./icons.tsx";
import type { IconName } from "./icons.tsx";
import { MoreView } from "./more.tsx";
import { CardLeft, OutcomeView } from "./outcome.tsx";
import { QueueView } from "./queue.tsx";
import { ReportsView } from "./reports.tsx";
import { RunningView } from "./running.tsx";
import { Recent, SalesView } from "./sales.tsx";
import { Strip, Troubles } from "./strip.tsx";

const places: [Place, Word, IconName][] = [["sell", "sell", "sell"], ["sales", "sales", "sales"], ["queue", "queuePlace", "queue"], ["reports", "reports", "reports"], ["more", "more", "more"]];

function Nav() {
  return (
    <nav class="places" aria-label={t("places")}>
      {places.map(([place, word, icon]) => (
        <a key={place} href={"#/" + place} aria-current={at.value.place === place ? "page" : undefined}>
          <Icon name={icon} />
          <span>{t(word)}</span>
        </a>
      ))}
      <button type="button" class="language" lang={language.value === "en" ? "ar" : "en"} onClick={() => (language.value = language.value === "en" ? "ar" : "en")}>
        {t("otherLanguage")}
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
          <button type="button" class="plain" onClick={() => (notice.value = null)}>
            {t("dismiss")}
          </button>
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
      {what === "running" ? <RunningView key={snapshot.value!.sale} /> : what === "outcome" ? <OutcomeView key={model.value.shown!.id} /> : <EntryView />}
      <Recent />
    </div>
  );
}

/** Elsewhere reminds, on every other place, of a payment that runs or has just ended. */
function Elsewhere() {
  const what = inScene.value;
  if (what === "entry") return null;
  return (
    <button type="button" class="elsewhere" onClick={() => go("sell")}>
      <Icon name="card" /> {what === "running" ? t("waitAnswer") : t("look")}: {t("number")} <bdi>{what === "running" ? snapshot.value!.sale : model.value.shown!.id}</bdi>
    </button>
  );
}

function Main() {
  if (model.value.link === "login")
    return (
      <main class="log-in" id="main">
        <div class="card">
          <h1>{shopName()}</h1>
          <h2>{t("logInTitle")}</h2>
          <LogInForm done={sessionChanged} />
        </div>
      </main>
    );
  const place = at.value.place;
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
          <Icon name="school" /> {t("trainingFrame")}
        </p>
      )}
      <Strip />
      {model.value.link !== "login" && <Nav />}
      <Main />
      <Dialogs />
    </div>
  );
}

export { seen };

import "./cashier.css";

import { signal } from "@preact/signals";
import { render } from "preact";

import { follow } from "./events.ts";
import { t } from "./i18n.ts";
import { plain } from "./money.ts";
import type { StateEvent } from "./types.ts";

const state = signal<StateEvent | null>(null);
const connected = signal(false);

function Page() {
  const s = state.value?.snapshot;
  return (
    <main>
      <h1>Tillway</h1>
      <p role="status">{s ? s.text : t("connecting")}</p>
      {!connected.value && <p role="alert">{t("lost")}</p>}
      {s?.amount && <bdi>{s.amount.currency} {plain(s.amount.minor, 3)}</bdi>}
    </main>
  );
}

follow("/v1/events", {
  open: () => (connected.value = true),
  lost: () => (connected.value = false),
  refused: () => (connected.value = false),
  event: (e) => {
    if (e.event === "state") state.value = JSON.parse(e.data) as StateEvent;
  },
});

render(<Page />, document.getElementById("app")!);

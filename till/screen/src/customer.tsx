import "./customer.css";

import { signal } from "@preact/signals";
import { render } from "preact";

import { follow } from "./events.ts";
import { plain } from "./money.ts";
import type { StateEvent } from "./types.ts";

const state = signal<StateEvent | null>(null);

function Page() {
  const s = state.value?.snapshot;
  return (
    <main>
      {s?.amount && <bdi dir="ltr">{s.amount.currency} {plain(s.amount.minor, 3)}</bdi>}
      <p role="status">{s?.text_ar}</p>
      <p lang="en" dir="ltr">{s?.text}</p>
    </main>
  );
}

follow("/v1/events", {
  open: () => undefined,
  lost: () => (state.value = null),
  refused: () => (state.value = null),
  event: (e) => {
    if (e.event === "state") state.value = JSON.parse(e.data) as StateEvent;
  },
});

render(<Page />, document.getElementById("app")!);

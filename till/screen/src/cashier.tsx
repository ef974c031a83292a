// The cashier's screen.

import "./cashier.css";

import { render } from "preact";

import { listen } from "./keys.ts";
import { begin } from "./settings.ts";
import { connect } from "./store.ts";
import { App } from "./view/app.tsx";

begin();
listen();
connect();
render(<App />, document.getElementById("app")!);

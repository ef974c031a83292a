// The cashier's screen.

import "./cashier.css";

import { draw } from "./draw.ts";
import { listen } from "./keys.ts";
import { begin } from "./settings.ts";
import { connect } from "./store.ts";
import { App } from "./view/app.tsx";

begin();
listen();
connect();
draw(() => <App />);

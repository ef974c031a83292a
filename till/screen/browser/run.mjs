// Plays every scenario, or those whose name holds --only, and prints one line of JSON for each.

import { args, play } from "./lib.mjs";
import { scenarios } from "./scenarios.mjs";

await play(scenarios, args());

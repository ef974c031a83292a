// All scenarios, in the order in which they are played.

import { customers } from "./customer.mjs";
import { doors } from "./door.mjs";

export const scenarios = [...doors, ...customers.filter((c) => c.stage === "staff")];

// All scenarios, in the order in which they are played.

import { access, accessStaff } from "./axe.mjs";
import { customers } from "./customer.mjs";
import { doors } from "./door.mjs";
import { later } from "./later.mjs";
import { sales } from "./sales.mjs";
import { staff, staffFirst, staffLast } from "./staff.mjs";
import { trouble } from "./trouble.mjs";

// What waits for the terminal: the card's language in the snapshot, and training.
const waits = /in the card's|does not say why|^training/;

export const scenarios = [...staffFirst, ...doors, ...customers, ...sales, ...trouble, ...later, ...access, ...staff, ...accessStaff, ...staffLast].filter((s) => !waits.test(s.name));

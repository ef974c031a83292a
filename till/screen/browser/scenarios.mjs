// All scenarios, in the order in which they are played.

import { access, accessStaff } from "./axe.mjs";
import { customers } from "./customer.mjs";
import { doors } from "./door.mjs";
import { firstUse } from "./firstuse.mjs";
import { later } from "./later.mjs";
import { sales } from "./sales.mjs";
import { staff, staffFirst, staffLast } from "./staff.mjs";
import { trouble } from "./trouble.mjs";

export const scenarios = [...staffFirst, ...doors, ...customers, ...sales, ...trouble, ...later, ...access, ...staff, ...accessStaff, ...firstUse, ...staffLast];

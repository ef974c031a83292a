// Every main state, in both languages, under axe-core: nothing serious or critical; the rest is printed.

import fs from "node:fs";
import { createRequire } from "node:module";

import { Cashier } from "./cashier.mjs";
import { order } from "./lib.mjs";

const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function check(kit, page, what, found) {
  await page.waitForTimeout(300); // a transition's colours are nobody's
  await page.evaluate(axe); // by the debugger, past the page's own policy
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  for (const v of violations) {
    const line = `${what}: ${v.impact}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(", ")}`;
    if (v.impact === "serious" || v.impact === "critical") found.push(line);
    else kit.note(line);
  }
}

const words = {
  en: { places: ["Payments", "Queue", "Day", "More"], find: "Approved", again: "Declined" },
  ar: { places: ["العمليات", "الانتظار", "اليوم", "المزيد"], find: "مقبولة", again: "مرفوضة" },
};

export const access = ["en", "ar"].map((language) => ({
  name: `axe: every main state, ${language}`,
  stage: "shop",
  async play(kit) {
    const found = [];
    const w = words[language];
    await kit.stage.reader("remove");
    const c = await Cashier.at(kit, { arabic: language === "ar" });
    const display = await kit.window("/customer");
    const both = async (what) => {
      await check(kit, c.page, what, found);
      await check(kit, display, "customer, " + what, found);
    };
    await both("entry");
    await order(kit.stage, { kind: "sale", amount: language === "en" ? 15700 : 15800 });
    await c.page.locator(".running").waitFor();
    await both("waiting for a card");
    await kit.stage.reader("insert", "credit");
    await c.heading(w.find);
    await both("approved");
    await kit.stage.settled();
    await order(kit.stage, { kind: "sale", amount: language === "en" ? 16051 : 17051 });
    await c.heading(w.again);
    await both("declined");
    await c.next();
    for (const place of w.places) {
      await c.click(place, "link");
      await c.page.locator("main .page").first().waitFor();
      await check(kit, c.page, place, found);
    }
    await c.click(w.places[0], "link");
    await c.page.locator("main .rows li button, main .rows li a").first().click();
    await c.page.locator(".sale-title").waitFor();
    await check(kit, c.page, "one payment", found);
    if (found.length) throw new Error(found.join("\n"));
  },
}));

export const accessStaff = [
  {
    name: "axe: log-in and a supervisor's yes",
    stage: "staff",
    async play(kit) {
      const found = [];
      const c = await Cashier.at(kit);
      await check(kit, c.page, "log-in", found);
      await c.logIn();
      await c.press("r");
      await c.sell(3300);
      await c.page.getByRole("dialog").getByText("A supervisor's yes").waitFor();
      await check(kit, c.page, "override", found);
      if (found.length) throw new Error(found.join("\n"));
    },
  },
];

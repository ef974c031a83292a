// A closed terminal: who is who, a supervisor's yes, and a session that ends by itself.

import { Cashier, equal, holds, secret, until } from "./cashier.mjs";

// A window that nobody touches while the other scenarios are played: its session ends after a minute.
let idle;

export const staffFirst = [
  {
    name: "a closed terminal asks who it is, and a wrong secret is said",
    stage: "staff",
    async play(kit) {
      const c = await Cashier.at(kit);
      await c.page.getByLabel("Name", { exact: true }).fill("carim");
      await c.page.getByLabel("Secret", { exact: true }).fill("wrong.kettle1");
      await c.press("Enter");
      await c.sees("Name or secret is wrong", false);
      await c.logIn("carim");
      await c.page.locator("button.charge").waitFor();
      equal("no token is left in the page", await c.page.evaluate(() => document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)).then((s) => /[0-9a-f]{32}/i.test(s)), false);
      idle = { context: kit.contexts.pop(), page: c.page };
      kit.windows.pop();
    },
  },
];

export const staff = [
  {
    name: "a supervisor says yes to what is not for a cashier, once",
    stage: "staff",
    async play(kit) {
      await kit.stage.reader("remove");
      const c = await Cashier.at(kit, { who: "carim" });
      await c.press("r");
      await c.sell(3000); // of no sale
      const dialog = c.page.getByRole("dialog");
      await dialog.getByText("A supervisor's yes").waitFor();
      await dialog.getByLabel("Supervisor").fill("carim"); // not a supervisor
      await dialog.getByLabel("Secret").fill(secret);
      await dialog.getByRole("button", { name: "Say yes" }).click();
      await dialog.locator(".problem-line", { hasText: /\w/ }).waitFor();
      await dialog.getByLabel("Supervisor").fill("sara");
      await dialog.getByLabel("Secret").fill(secret);
      await dialog.getByRole("button", { name: "Say yes" }).click();
      await c.sees("INSERT CARD");
      await kit.stage.reader("insert", "credit");
      await c.heading("Refunded");
      await c.sees("Take the card out");
      await kit.stage.reader("remove");
      await c.gone("Take the card out");
      const sale = await c.journal("Approved", ["posted"], { kind: "refund", by: "carim" });
      const audit = (await kit.stage.does("audit")).map((r) => JSON.stringify(r));
      holds(`the audit log has both names and the sale: ${audit.slice(-6).join("\n")}`, audit.some((r) => /sara/.test(r) && /carim/.test(r)) && audit.some((r) => new RegExp(`\\b${sale.id}\\b`).test(r)));
      await c.next();
      await c.press("r");
      await c.sell(3100);
      await dialog.getByText("A supervisor's yes").waitFor(); // the yes was for once
      await c.press("Escape");
    },
  },
  {
    name: "the same card and amount again: asked before anything is sent",
    stage: "staff",
    async play(kit) {
      const c = await Cashier.at(kit, { who: "carim" });
      await kit.stage.reader("remove");
      for (const again of [false, true]) {
        await c.sell(14500);
        await c.sees("INSERT CARD");
        await kit.stage.reader("insert", "credit");
        if (again) {
          await c.sees("The same card, the same amount");
          await c.click(/^The same purchase: stop/);
          await c.heading("Cancelled");
        } else {
          await c.heading("Approved");
        }
        await kit.stage.reader("remove");
        await c.gone("Take the card out");
        await c.journal(again ? "Cancelled" : "Approved", again ? [] : ["posted"]);
        await c.next();
      }
    },
  },
];

export const staffLast = [
  {
    name: "a session that nobody uses ends, and says so",
    stage: "staff",
    async play(kit) {
      if (!idle) return kit.note("the first scenario of the closed terminal was not played");
      kit.contexts.push(idle.context);
      kit.windows.push(idle.page);
      await idle.page.getByLabel("Secret", { exact: true }).waitFor({ timeout: 75_000 });
      equal("no amount is left for who comes next", await idle.page.locator(".huge").count(), 0);
    },
  },
];

export { until };

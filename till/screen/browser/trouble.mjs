// Lines that break, plugs that come out, programs that end, keys that are hit twice.

import { Cashier, equal, holds, until } from "./cashier.mjs";

export const trouble = [
  {
    name: "Enter hit twice, and an order whose answer is lost, charge once",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const before = (await kit.stage.sales()).length;
      const c = await Cashier.at(kit);
      await c.type("41125");
      await Promise.all([c.press("Enter"), c.press("Enter"), c.press("Enter")]);
      await c.heading("Approved");
      await c.journal("Approved", ["posted"]);
      equal("sales after three Enters", (await kit.stage.sales()).length, before + 1);
      await c.next();
      // The terminal takes the order and the answer never arrives; the same again; then the order does not even leave.
      let cut = 0;
      const keys = [];
      await c.page.route("**/v1/sales", async (route) => {
        if (route.request().method() !== "POST") return route.continue();
        keys.push(route.request().postDataJSON().key);
        if (++cut > 3) return route.continue();
        if (cut < 3) await route.fetch().catch(() => undefined);
        return route.abort("connectionreset");
      });
      await kit.stage.reader("insert", "credit");
      await c.sell(42125);
      await c.heading("Approved");
      await until("the order was answered", () => cut >= 4);
      equal("with one key", new Set(keys).size, 1);
      await c.journal("Approved", ["posted"]);
      equal("sales after lost answers", (await kit.stage.sales()).length, before + 2);
    },
  },
  {
    name: "reload in mid-sale, in two windows at once, with the customer's display",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("remove");
      const one = await Cashier.at(kit);
      const two = await Cashier.at(kit);
      const display = await kit.window("/customer");
      await one.sell(43500);
      for (const c of [one, two]) await c.sees("INSERT CARD");
      await display.getByText("INSERT CARD").waitFor();
      await one.page.reload();
      await one.sees("INSERT CARD");
      equal("the amount after a reload", await one.amount().innerText(), "43.500");
      await kit.stage.reader("insert", "credit");
      for (const c of [one, two]) await c.heading("Approved");
      await one.journal("Approved", ["posted"]);
      await one.page.reload();
      await one.heading("Approved"); // who reloads at the wrong moment still sees the end
    },
  },
  {
    name: "the bank is gone: offline, at the shop's risk, the queue in sight, and all of it told later",
    stage: "shop",
    async play(kit) {
      await kit.stage.settled();
      const c = await Cashier.at(kit);
      await kit.stage.does("host", "off");
      await kit.stage.reader("insert", "oda-cda");
      await c.sell(6250);
      await c.heading("Approved offline");
      await c.next();
      await kit.stage.reader("insert", "credit");
      await c.sell(7250);
      await c.heading("Accepted, not certain");
      await until("the strip counts what waits", async () => /2 .*KWD 13\.500/.test((await c.page.locator(".strip").innerText()).replace(/[\u2066-\u2069]/g, "").replace(/\s+/g, " ")));
      await c.page.locator(".chip.bad", { hasText: "Bank" }).waitFor();
      await c.click("Queue", "link");
      await c.sees("7.250");
      await kit.stage.does("host", "on");
      await c.click("Send now");
      await until("nothing waits", async () => /nothing waits/.test(await c.page.locator(".strip").innerText()));
      await kit.stage.settled();
      const [second, first] = await kit.stage.sales();
      for (const s of [first, second]) equal(`the bank's entries of ${s.id}`, (await kit.stage.booked(s)).map((e) => e.state), ["posted"]);
    },
  },
  {
    name: "the reader is pulled out in mid-sale, and plugged in again",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("remove");
      const c = await Cashier.at(kit);
      await kit.stage.reader("unplug");
      await c.page.locator(".chip.bad", { hasText: "Reader" }).waitFor();
      await c.sell(6500);
      await c.page.locator(".running").waitFor();
      await kit.stage.reader("replug");
      await c.sees("INSERT CARD");
      await kit.stage.reader("insert", "credit");
      await c.heading("Approved");
      await until("the reader is ready", async () => (await c.page.locator(".chip.bad", { hasText: "Reader" }).count()) === 0);
      await c.journal("Approved", ["posted"]);
    },
  },
  {
    name: "the terminal is killed while the bank is asked: a banner, and then the truth",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const c = await Cashier.at(kit);
      const before = (await kit.stage.ledger()).length;
      await c.sell(7102); // the answer comes too late
      await until("the bank has booked it", async () => (await kit.stage.ledger()).length > before);
      await kit.stage.does("posd", "kill");
      await c.sees("No connection to the terminal.", false);
      equal("nothing can be ordered meanwhile", await c.page.locator("button.charge:enabled, .running button:enabled").count(), 0);
      await kit.stage.does("posd", "on");
      await c.heading("Not charged: reversed");
      await c.journal("Reversed", ["reversed"]);
      await c.next();
      await kit.stage.reader("insert", "credit");
      await c.sell(1250);
      await c.heading("Approved");
    },
  },
];

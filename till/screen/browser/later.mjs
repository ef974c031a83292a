// What is done with a payment later, and with a day.

import { Cashier, equal, holds, until } from "./cashier.mjs";

export const later = [
  {
    name: "void from the outcome, refund by the number, and what became of them",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const c = await Cashier.at(kit);
      await c.sell(21500);
      await c.heading("Approved");
      const first = await c.journal("Approved", ["posted"]);
      await c.click("Void");
      await c.press("Enter");
      await c.heading("Voided");
      await c.journal("Approved", ["posted"], { kind: "void", of: first.id });
      equal("the bank has taken it back", (await kit.stage.booked(first)).map((e) => e.state), ["voided"]);
      await c.next();
      await c.sell(22500);
      await c.heading("Approved");
      const second = await c.journal("Approved", ["posted"]);
      await c.next();
      await c.press("r");
      await c.type("3000");
      await c.press("ArrowDown");
      await c.type(String(second.id));
      await c.sees(new RegExp(`Sale .?${second.id}`));
      await c.press("Enter");
      await c.heading("Refunded");
      await c.journal("Approved", ["posted"], { kind: "refund", of: second.id, amount: { minor: 3000, currency: "KWD" } });
    },
  },
  {
    name: "pre-authorisation, more of it, and its completion",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const c = await Cashier.at(kit);
      await c.press("p");
      await c.sell(100000);
      await c.heading("Held");
      const held = await c.journal("Approved", ["held"], { kind: "preauth" });
      await c.next();
      await c.press("i");
      await c.type(String(held.id));
      await c.press("ArrowDown");
      await c.sell(50000);
      await c.heading("Held");
      await c.journal("Approved", null, { kind: "increment", of: held.id });
      await c.next();
      await c.press("c");
      await c.type(String(held.id));
      await c.press("ArrowDown");
      await c.sell(132500);
      await c.heading("Taken");
      await c.journal("Approved", ["posted"], { kind: "completion", of: held.id });
    },
  },
  {
    name: "a payment is found by its amount, and its receipt is shown again as a duplicate",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const c = await Cashier.at(kit);
      await c.sell(33775);
      await c.heading("Approved");
      const sale = await c.journal("Approved", ["posted"]);
      await c.next();
      await c.sell(1775);
      await c.heading("Approved");
      await c.click("Payments", "link");
      await c.page.locator("select[name=by]").selectOption({ label: "Amount" });
      await c.page.locator("input[name=value]").fill("33.775");
      await c.click("Find");
      await until("one payment is listed", async () => (await c.page.locator("main .rows li").count()) === 1);
      await c.page.locator("main .rows li button, main .rows li a").first().click();
      await c.heading(new RegExp(`${sale.id}`));
      await c.click("Show: Customer's copy");
      const paper = c.page.locator("dialog pre");
      await until("the receipt is there", async () => /33\.775/.test(await paper.innerText()));
      const text = await paper.textContent();
      holds(`the receipt says DUPLICATE: ${text}`, /DUPLICATE/.test(text));
      holds("the whole card number stands nowhere", !/4761739001010119/.test(await c.page.content()));
      await c.page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    },
  },
  {
    name: "the day is ended, and the proof says that both have the same",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const c = await Cashier.at(kit);
      await c.sell(2375);
      await c.heading("Approved");
      await kit.stage.settled();
      const batch = (await kit.stage.status()).batch.number;
      await c.click("Day", "link");
      await c.click("Totals so far");
      await until("the totals are shown", async () => /NOTHING IS RESET/.test(await c.page.locator("dialog pre").textContent()));
      await c.page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
      await c.click("End the day");
      const sure = c.page.getByRole("dialog").getByRole("button", { name: "End the day" });
      if (await until("the question, or the end", async () => (await sure.count()) || (await kit.stage.status()).batch.number > batch)) if (await sure.count()) await sure.click();
      await until("the next batch is open", async () => (await kit.stage.status()).batch.number > batch);
      await until("the batch is closed", async () => !((await kit.stage.status()).batch.settling ?? []).length);
      await until("the proof comes by itself", async () => /CLOSED IN BALANCE/.test(await c.page.locator("dialog pre").textContent()));
    },
  },
  {
    name: "training: a frame that nobody overlooks, and nothing of it is real",
    stage: "shop",
    async play(kit) {
      await kit.stage.settled();
      const before = [(await kit.stage.sales()).length, (await kit.stage.ledger()).length];
      const c = await Cashier.at(kit);
      const display = await kit.window("/customer");
      await c.click("More", "link");
      await c.click("Switch training on");
      await c.sees("TRAINING: NOT A PAYMENT");
      await display.getByText("Training, not a payment").waitFor();
      await c.click("Sell", "link");
      await c.sell(4250);
      await c.heading("Approved");
      await c.sees("TRAINING: NOT A PAYMENT");
      await c.click("More", "link");
      await c.click("Back to real payments");
      await c.gone("TRAINING: NOT A PAYMENT");
      equal("journal and bank have no more than before", [(await kit.stage.sales()).length, (await kit.stage.ledger()).length], before);
    },
  },
];

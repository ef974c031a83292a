// Takes the pictures that the documentation shows, into --out: the main states of both pages, and a first use.

import fs from "node:fs";
import path from "node:path";

import { Cashier, secret, until } from "./cashier.mjs";
import { firstUse } from "./firstuse.mjs";
import { args, order, play } from "./lib.mjs";

const opts = args();
const folder = path.join(opts.out, "screens");
fs.mkdirSync(folder, { recursive: true });

async function picture(page, name) {
  await page.waitForTimeout(400); // fonts and transitions
  await page.screenshot({ path: path.join(folder, name + ".png"), animations: "disabled" });
}

const display = { viewport: { width: 1024, height: 600 }, reducedMotion: "reduce" };

const shop = {
  name: "pictures of an open shop",
  stage: "shop",
  async play(kit) {
    const { stage } = kit;
    await stage.reader("remove");
    const customer = await kit.window("/customer", display);
    const c = await Cashier.at(kit);
    await picture(customer, "customer-welcome");
    for (const minor of [4750, 1250]) {
      await stage.reader("insert", "credit");
      await c.sell(minor);
      await c.heading("Approved");
      await stage.settled();
      await c.next();
    }
    await c.type("10525");
    await picture(c.page, "cashier-amount");
    await stage.reader("remove");
    await c.press("Enter");
    await c.sees("INSERT CARD");
    await customer.getByText("INSERT CARD").waitFor();
    await picture(c.page, "cashier-card");
    await picture(customer, "customer-card");
    await stage.reader("insert", "credit");
    await c.heading("Approved");
    await until("the card is out", async () => !(await stage.status()).card_left);
    await picture(c.page, "cashier-approved");
    await picture(customer, "customer-approved");
    await stage.settled();
    await c.next();
    await stage.reader("insert", "credit");
    await c.sell(6051);
    await c.heading("Declined");
    await stage.settled();
    await until("the card is out", async () => !(await stage.status()).card_left);
    await picture(c.page, "cashier-declined");
    await c.next();
    await stage.reader("insert", "debit");
    await order(stage, { kind: "sale", amount: 18000, tip: 2000 });
    await customer.locator("main.pin").waitFor();
    const typing = stage.does("pin", "12............34e");
    await until("two dots are filled", async () => (await customer.locator(".dots .on").count()) === 2);
    await picture(customer, "customer-pin");
    await typing;
    await c.heading("Approved");
    await stage.settled();
    await c.next();
    await stage.does("host", "off");
    await stage.reader("insert", "oda-cda");
    await c.sell(5500);
    await c.heading("Approved offline");
    await until("the card is out", async () => !(await stage.status()).card_left);
    await picture(c.page, "cashier-offline");
    await stage.does("host", "on");
    await stage.settled();
    await c.next();
    await stage.reader("insert", "OWN/signature.toml");
    await c.sell(12500);
    await c.sees("Compare the signatures");
    await picture(c.page, "cashier-signature");
    await c.press("y");
    await c.heading("Approved");
    await stage.settled();
    await c.next();
    await c.page.getByRole("button", { name: "العربية" }).click();
    await stage.reader("insert", "credit");
    await c.sell(8250);
    await c.heading("مقبولة");
    await stage.settled();
    await until("the card is out", async () => !(await stage.status()).card_left);
    await picture(c.page, "cashier-approved-arabic");
    await c.next();
    await c.click("العمليات", "link");
    await c.page.locator("main .rows li").first().waitFor();
    await picture(c.page, "cashier-payments-arabic");
  },
};

const staff = {
  name: "pictures of a closed shop",
  stage: "staff",
  async play(kit) {
    await kit.stage.reader("remove");
    const c = await Cashier.at(kit, { who: "carim" });
    const customer = await kit.window("/customer", { ...display, context: kit.contexts[0] });
    await customer.setViewportSize(display.viewport);
    await c.press("r");
    await c.sell(3000);
    const dialog = c.page.getByRole("dialog");
    await dialog.getByText("A supervisor's yes").waitFor();
    await dialog.getByLabel("Supervisor").fill("sara");
    await dialog.getByLabel("Secret").fill(secret);
    await picture(c.page, "cashier-supervisor");
    await c.press("Escape");
    await c.press("Escape");
    await c.press("s");
    await c.press("Escape");
    await c.sell(9750);
    await c.sees("INSERT CARD");
    await kit.stage.reader("insert", "credit");
    await c.heading("Approved");
    await customer.locator("main.remove").waitFor();
    await picture(customer, "customer-remove-card");
    await kit.stage.reader("remove");
    await c.gone("Take the card out");
    await kit.stage.settled();
  },
};

await play([shop, staff, ...firstUse], opts);

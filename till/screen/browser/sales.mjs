// Sales as they go well, and as the bank says no.

import { Cashier, equal, touchable } from "./cashier.mjs";
import { digitsInOrder } from "./lib.mjs";

export const sales = [
  {
    name: "sale by keyboard alone, in English",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const c = await Cashier.at(kit);
      await c.type("10525");
      await c.sees("10.525");
      await c.press("Enter");
      await c.heading("Approved");
      equal("amount", await digitsInOrder(c.amount()), "10.525");
      const sale = await c.journal("Approved", ["posted"]);
      equal("minor units", sale.amount, { minor: 10525, currency: "KWD" });
      await c.next();
      equal("no earlier amount is left", await c.page.locator(".field-value").first().innerText(), "KWD 0.000");
    },
  },
  {
    name: "sale by touch, in Arabic, right to left",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const c = await Cashier.at(kit, { hasTouch: true, arabic: true, viewport: { width: 1024, height: 768 } });
      equal("direction and language", await c.page.evaluate(() => [getComputedStyle(document.body).direction, document.documentElement.lang, document.documentElement.dir]), ["rtl", "ar", "rtl"]);
      await touchable(c.page);
      const charge = await c.page.locator("button.charge").boundingBox();
      if (charge.y + charge.height > 768) throw new Error("the button that charges is below the fold of a screen of 1024 by 768");
      for (const key of ["1", "2", "7", "5", "0"]) await c.page.getByRole("button", { name: key, exact: true }).tap();
      equal("typed", await digitsInOrder(c.page.locator(".field-value bdi[dir=ltr]").first()), "12.750");
      const pad = await Promise.all(["1", "3"].map((k) => c.page.getByRole("button", { name: k, exact: true }).boundingBox()));
      if (pad[0].x > pad[1].x) throw new Error("the keypad is mirrored: 1 stands right of 3");
      const nav = await c.page.getByRole("navigation").boundingBox();
      if (nav.x < 500) throw new Error("the places stand on the left of a page that runs right to left");
      await c.page.locator("button.charge").tap();
      await c.heading("مقبولة");
      equal("amount", await digitsInOrder(c.amount()), "12.750");
      await c.journal("Approved", ["posted"]);
    },
  },
  {
    name: "what a mouse has pressed does not keep Enter for itself",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const c = await Cashier.at(kit);
      await c.click(/^Tip/);
      await c.type("500");
      await c.page.locator(".field.big").click();
      await c.sell(9625);
      await c.heading("Approved");
      await c.journal("Approved", ["posted"], { amount: { minor: 10125, currency: "KWD" }, tip: { minor: 500, currency: "KWD" } });
    },
  },
  {
    name: "Eastern digits on the keyboard are digits",
    stage: "shop",
    async play(kit) {
      const c = await Cashier.at(kit);
      await c.page.keyboard.insertText("");
      for (const key of ["١", "٢", "۳", "4", "٥"]) await c.page.evaluate((key) => document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })), key);
      await c.sees("12.345");
      await c.press("Backspace");
      await c.sees("1.234");
      await c.press("Escape");
      await c.sees("0.000");
    },
  },
  {
    name: "decline, in words that say what to do",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const c = await Cashier.at(kit);
      await c.sell(10051);
      await c.heading("Declined");
      const sale = await c.journal("Declined", [], { rc: "51" });
      await c.sees(sale.outcome.happened);
      await c.sees(sale.outcome.do);
    },
  },
  {
    name: "debit with tip and cash, and a PIN that only its dots show",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "debit");
      const c = await Cashier.at(kit);
      await c.type("18000");
      await c.press("t");
      await c.type("2000");
      await c.press("k");
      await c.type("5000");
      await c.press("Enter");
      await c.sees("ENTER PIN");
      equal("asked for", await digitsInOrder(c.amount()), "25.000");
      equal("the keypad", await kit.stage.does("pin", "1234e"), "entered");
      await c.heading("Approved");
      await c.journal("Approved", ["posted"], { tip: { minor: 2000, currency: "KWD" }, cashback: { minor: 5000, currency: "KWD" } });
    },
  },
  {
    name: "signature: compared, and refused",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "OWN/signature.toml");
      const c = await Cashier.at(kit);
      await c.sell(12500);
      await c.sees("Compare the signatures");
      await c.click(/^They match/);
      await c.heading("Approved");
      await c.journal("Approved", ["posted"], { signature: true });
      await c.next();
      await kit.stage.reader("insert", "OWN/signature.toml");
      await c.sell(12760);
      await c.sees("Compare the signatures");
      await c.press("n");
      await c.heading("Not charged: reversed");
      await c.journal("Reversed", ["reversed"]);
    },
  },
  {
    name: "a part is approved: the rest is named, in both windows",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("insert", "credit");
      const c = await Cashier.at(kit);
      const display = await kit.window("/customer");
      await c.sell(8010);
      await c.sees("The bank approved only a part");
      await display.locator("dd .number", { hasText: "4.005" }).first().waitFor();
      await c.click(/^Rest is paid in another way/);
      await c.heading("Partly approved");
      await c.sees("Still to pay");
      await display.locator("main.good").waitFor();
      await c.journal("Approved", ["posted"], { approved: { minor: 4005, currency: "KWD" } });
    },
  },
  {
    name: "cancelled before a card: nothing was sent",
    stage: "shop",
    async play(kit) {
      await kit.stage.reader("remove");
      const c = await Cashier.at(kit);
      await c.sell(5000);
      await c.sees("INSERT CARD");
      await c.press("Escape");
      await c.heading("Cancelled");
      await c.journal("Cancelled", []);
      await kit.stage.reader("insert", "credit");
    },
  },
];

// The customer's display, on its own: a sale is started by another program, as a cash register would, and the display follows.

import { digitsInOrder, equal, holds, order, until } from "./lib.mjs";

const main = (page) => page.locator("main");
const reads = (page, text) => page.getByText(text, { exact: true }).first().waitFor();

/** direction is what the page's text really runs in, and its language. */
const direction = (page) => main(page).evaluate((m) => [getComputedStyle(m).direction, m.lang]);

async function idle(page) {
  await reads(page, "أهلاً وسهلاً");
  await reads(page, "Welcome");
  equal("nothing is left of an earlier sale", await page.locator(".amount").count(), 0);
}

/** discreet: nothing of the cashier's and nothing of the card stands on the display. */
async function discreet(page) {
  const text = await page.evaluate(() => document.documentElement.innerText);
  holds(`the display says nothing of the cashier's or the card's: ${text}`, !/4761|0119|5413|4111|\*{3}|same card|Give the|Ask for|supervisor/i.test(text));
}

export const customers = [
  {
    name: "customer: before the card in both languages, then in the card's, and nothing stays",
    stage: "shop",
    async play(kit) {
      const display = await kit.window("/customer");
      await idle(display);
      await kit.stage.reader("remove");
      const sale = await order(kit.stage, { kind: "sale", amount: 10525 });
      await reads(display, "أدخل البطاقة");
      await reads(display, "INSERT CARD");
      equal("before the card: right to left, Arabic first", await direction(display), ["rtl", "ar"]);
      const first = await display.locator("h1 .first").boundingBox();
      const second = await display.locator("h1 .second").boundingBox();
      holds("English stands under Arabic", second.y >= first.y + first.height - 1);
      equal("amount", await digitsInOrder(display.locator(".amount .number").first()), "10.525");
      await discreet(display);
      await kit.stage.reader("insert", "credit");
      await reads(display, "مقبولة");
      equal("the card's language is Arabic: no English beside it", await display.getByText("APPROVED", { exact: true }).count(), 0);
      equal("amount of the outcome", await digitsInOrder(display.locator(".amount .number").first()), "10.525");
      await discreet(display);
      const last = await kit.stage.last();
      equal("the journal's sale", [last.id, last.state], [sale.id, "Approved"]);
      await kit.stage.settled();
      equal("the bank has it once", (await kit.stage.booked(last)).map((e) => e.state), ["posted"]);
      await idle(display); // by itself
    },
  },
  {
    name: "customer: an English card, and a decline that does not say why",
    stage: "shop",
    async play(kit) {
      const display = await kit.window("/customer");
      await kit.stage.reader("remove");
      await order(kit.stage, { kind: "sale", amount: 10043 }); // the bank says: stolen
      await reads(display, "INSERT CARD");
      await kit.stage.reader("insert", "OWN/english.toml");
      await reads(display, "DECLINED");
      await reads(display, "You have not been charged");
      equal("left to right", await direction(display), ["ltr", "en"]);
      const text = await display.evaluate(() => document.body.innerText);
      holds(`the display never says that a card is stolen: ${text}`, !/stolen|lost|pick|مسروقة/i.test(text));
      await discreet(display);
      await kit.stage.settled();
      const last = await kit.stage.last();
      equal("the journal's sale", [last.state, last.rc], ["Declined", "43"]);
      equal("the bank has nothing", await kit.stage.booked(last), []);
    },
  },
  {
    name: "customer: a PIN is dots, a wrong one is said, tip and cash are named",
    stage: "shop",
    async play(kit) {
      const display = await kit.window("/customer");
      await kit.stage.reader("insert", "debit");
      await order(kit.stage, { kind: "sale", amount: 18000, tip: 2000, cashback: 5000 });
      await reads(display, "أدخل الرقم السري");
      equal("whole amount", await digitsInOrder(display.locator(".amount .number").first()), "25.000");
      equal("its parts", await display.locator("dd .number").allTextContents(), ["18.000", "2.000", "5.000"]);
      const typing = kit.stage.does("pin", "12........34e");
      await until("two dots are filled", async () => (await display.locator(".dots .on").count()) === 2);
      holds("no digit is shown", !/1234|12/.test((await display.locator(".say").innerText()).replace(/\s/g, "")));
      equal("the keypad", await typing, "entered");
      await reads(display, "مقبولة");
      await kit.stage.settled();
    },
  },
  {
    name: "customer: a card that is left in is asked back until it is out",
    stage: "staff",
    async play(kit) {
      await kit.supervisor();
      const display = await kit.window("/customer", { context: kit.contexts[0] });
      await kit.stage.reader("remove");
      const begun = order(kit.stage, { kind: "sale", amount: 3250 });
      await begun;
      await reads(display, "INSERT CARD");
      await kit.stage.reader("insert", "OWN/english.toml");
      await reads(display, "REMOVE CARD");
      await reads(display, "APPROVED");
      await kit.stage.reader("remove");
      await until("nothing asks for the card any more", async () => (await display.getByText("REMOVE CARD").count()) === 0);
      await kit.stage.settled();
    },
  },
];

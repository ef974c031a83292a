// A new cashier's first half hour, without any documentation: every act is what the screen itself says, found by the text on it.

import fs from "node:fs";
import path from "node:path";

import { Cashier, equal, secret, until } from "./cashier.mjs";

/** A Recording keeps the screens in their order, with a line each, where there is a folder for them. */
class Recording {
  constructor(folder, page) {
    Object.assign(this, { folder, page, lines: [] });
    if (folder) fs.mkdirSync(folder, { recursive: true });
  }

  async step(line) {
    const name = `${String(this.lines.length + 1).padStart(2, "0")}.png`;
    this.lines.push([name, line]);
    if (!this.folder) return;
    await this.page.waitForTimeout(300);
    await this.page.screenshot({ path: path.join(this.folder, name), animations: "disabled" });
  }

  end() {
    if (!this.folder) return;
    const text = this.lines.map(([name, line], i) => `${i + 1}. ${line}\n\n   ![${line.replace(/[[\]]/g, "")}](${name})\n`).join("\n");
    fs.writeFileSync(
      path.join(this.folder, "index.md"),
      `# A first use\n\nA new cashier, a name and a secret from the supervisor, and no documentation. A script plays this in a browser against the whole stack: it\nacts only on what the screen says, and finds every button by the words on it. \`make screenshots\` records it anew.\n\n${text}`,
    );
  }
}

export const firstUse = [
  {
    name: "a first use, by what the screen says alone",
    stage: "staff",
    async play(kit) {
      await kit.stage.reader("remove");
      const c = await Cashier.at(kit, { viewport: { width: 1024, height: 768 } });
      const seen = new Recording(kit.opts.out && path.join(kit.opts.out, "first-use"), c.page);
      const button = (name) => c.page.getByRole("button", { name }).first();
      const dialog = c.page.getByRole("dialog");

      await seen.step("The screen asks who it is: name and secret are typed, and “Log in” is pressed.");
      await c.logIn("carim");
      await seen.step("There is one large button, “Charge”, above it a keypad. The customer owes KWD 7.250.");
      for (const key of ["7", "2", "5", "0"]) await c.page.getByRole("button", { name: key, exact: true }).click();
      await c.sees("7.250");
      await seen.step("7, 2, 5, 0 have become KWD 7.250, and the button says “Charge KWD 7.250”. It is pressed.");
      await button(/^Charge/).click();
      await c.sees("INSERT CARD");
      await seen.step("INSERT CARD: the customer is told, and puts it in.");
      await kit.stage.reader("insert", "credit");
      await c.heading("Approved");
      await c.sees("Take the card out");
      await seen.step("Approved. The screen says that the card is still in the reader, and the customer takes it out.");
      await kit.stage.reader("remove");
      await c.gone("Take the card out");
      const first = await c.journal("Approved", ["posted"]);
      await c.sees("Give the customer the receipt.");
      await button("Receipt").click();
      await until("the receipt is there", async () => /7\.250/.test(await dialog.locator("pre").textContent()));
      await seen.step("“Give the customer the receipt.” So “Receipt” is pressed.");
      await dialog.getByRole("button", { name: "Close" }).click();
      await button("Next sale").click();

      await c.type("3051");
      await c.press("Enter");
      await c.sees("INSERT CARD");
      await kit.stage.reader("insert", "credit");
      await c.heading("Declined");
      await kit.stage.reader("remove");
      await c.gone("Take the card out");
      await seen.step("The next customer's bank says no. What happened and what to do stand there: another card, or another way to pay.");
      await c.journal("Declined", []);
      await button("Next sale").click();

      await c.sees("Last payments");
      await c.page.getByText(`Sale ${first.id}`).first().click();
      await c.heading(new RegExp(`Sale ${first.id}`));
      await seen.step("The first customer comes back and wants none of it. The payment is under “Last payments”; there is a button “Void”.");
      await button("Void").click();
      await c.page.locator("button.charge", { hasText: "7.250" }).waitFor();
      await seen.step("The screen says which payment it is of, and the button “Void KWD 7.250” what will happen. It is pressed.");
      await c.page.locator("button.charge").click();
      await c.heading("Voided");
      await c.journal("Approved", ["posted"], { kind: "void", of: first.id });
      equal("the bank has taken it back", (await kit.stage.booked(first)).map((e) => e.state), ["voided"]);
      await seen.step("Voided: the customer gets the receipt of that.");
      await button("Next sale").click();

      await c.page.getByRole("link", { name: "Day" }).click();
      await seen.step("The shop closes. “Day” has “End the day”.");
      await c.page.getByRole("button", { name: "End the day" }).click();
      await until("a question", async () => (await dialog.count()) > 0);
      if (!(await dialog.getByText("A supervisor's yes").count())) await dialog.getByRole("button", { name: "End the day" }).click();
      await dialog.getByText("A supervisor's yes").waitFor();
      await seen.step("That is not for a cashier, and the screen asks for a supervisor, who types name and secret.");
      await dialog.getByLabel("Supervisor").fill("sara");
      await dialog.getByLabel("Secret").fill(secret);
      const batch = (await kit.stage.status()).batch.number;
      await dialog.getByRole("button", { name: "Say yes" }).click();
      await until("the next day has begun", async () => (await kit.stage.status()).batch.number > batch);
      await until("the batch is closed", async () => !((await kit.stage.status()).batch.settling ?? []).length);
      await until("the proof comes by itself", async () => /CLOSED IN BALANCE/.test(await dialog.locator("pre").textContent()));
      await seen.step("The proof comes by itself, and says that terminal and bank have the same. The day is done.");
      seen.end();
    },
  },
];

// The cashier's screen as a person uses it: by the words on it, by keys, by fingers.

import { equal, holds, until, within } from "./lib.mjs";

export const secret = "blue.kettle9";

/** A Cashier is somebody at one window. */
export class Cashier {
  constructor(kit, page) {
    Object.assign(this, { kit, page, stage: kit.stage });
  }

  /** at opens a window, and waits until orders can be given or a log-in is asked for. */
  static async at(kit, options = {}) {
    const { arabic, who, ...more } = options;
    const page = await kit.window("/", more);
    const c = new Cashier(kit, page);
    await page.locator("button.charge, form.secrets, .running, .outcome").first().waitFor();
    if (await page.locator(".outcome").count()) await c.next(); // of a sale before this window
    if (arabic) await page.getByRole("button", { name: "العربية" })[more.hasTouch ? "tap" : "click"]();
    if (who) await c.logIn(who);
    return c;
  }

  /** logIn is what the log-in form asks for. */
  async logIn(name = "carim") {
    await this.page.getByLabel("Name", { exact: true }).fill(name);
    await this.page.getByLabel("Secret", { exact: true }).fill(secret);
    await this.page.getByRole("button", { name: "Log in", exact: true }).last().click();
    await this.page.locator("button.charge, .running, .outcome").first().waitFor();
    if (await this.page.locator(".outcome").count()) await this.next();
    await this.page.locator(".strip", { hasText: name }).waitFor();
  }

  type = (keys) => this.page.keyboard.type(keys);
  press = (key) => this.page.keyboard.press(key);

  /** sell types an amount, decimals implied, and Enter. */
  async sell(digits) {
    await this.type(String(digits));
    await this.press("Enter");
  }

  sees = (text, exact = true) => this.page.getByText(text, { exact }).first().waitFor();
  heading = (name) => this.page.getByRole("heading", { name, exact: true }).first().waitFor();
  click = (name, role = "button") => this.page.getByRole(role, { name }).first().click();
  gone = (text) => until(`"${text}" is gone`, async () => (await this.page.getByText(text, { exact: true }).count()) === 0);

  /** amount is the large one, as it stands. */
  amount = () => this.page.locator(".huge bdi[dir=ltr]").first();

  /** journal holds the newest sale, and what the bank has of it, against what is wanted. */
  async journal(state, bank = [], more = {}) {
    await this.stage.settled();
    const last = await this.stage.last();
    equal("the journal's sale", last.state, state);
    for (const [name, want] of Object.entries(more)) equal(`the journal's ${name}`, last[name], want);
    if (bank) equal("the bank's entries of it", (await this.stage.booked(last)).map((e) => e.state), bank);
    return last;
  }

  /** next puts an outcome away. */
  async next() {
    await this.press("Enter");
    await this.page.locator("button.charge").waitFor();
  }
}

/** touchable holds every target of a finger to its least size, in CSS pixels. */
export async function touchable(page, least = 48) {
  const small = await page.evaluate((least) => {
    const out = [];
    for (const b of document.querySelectorAll("button, .places a, select, input")) {
      const r = b.getBoundingClientRect();
      if (r.width && (r.width < least - 0.5 || r.height < least - 0.5)) out.push(`${b.innerText || b.getAttribute("aria-label")} ${Math.round(r.width)}×${Math.round(r.height)}`);
    }
    return out;
  }, least);
  holds(`targets smaller than ${least} px: ${small.join("; ")}`, small.length === 0);
}

export { equal, holds, until, within };

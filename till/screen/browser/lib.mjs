// What every browser script needs: the stages that the Go test started, the one browser, a line for each result.
// A script acts on what a person sees: texts, names of buttons, keys. All waits are bounded.

import fs from "node:fs";
import path from "node:path";

import { chromium } from "playwright-core";

export const within = 20_000; // ms; the most that anything is waited for

/** The arguments: --stage NAME=URL (several), --chromium PATH, --shots FOLDER, --only WORD, --out FOLDER. */
export function args(argv = process.argv.slice(2)) {
  const out = { stages: {}, only: "" };
  for (let i = 0; i < argv.length; i += 2) {
    const name = argv[i].replace(/^--/, "");
    const value = argv[i + 1];
    if (name === "stage") {
      const cut = value.indexOf("=");
      out.stages[value.slice(0, cut)] = new Stage(value.slice(0, cut), value.slice(cut + 1));
    } else out[name] = value;
  }
  return out;
}

/** say prints one line for the Go test. */
export const say = (line) => fs.writeSync(1, JSON.stringify(line) + "\n");

/** A Stage is a whole stack: what is not done at the screen is done through it. */
export class Stage {
  constructor(name, control) {
    this.name = name;
    this.control = control;
  }

  /** does has something done, or looks into the books: see cmd/demo/browserstage_test.go. */
  async does(what, ...words) {
    const res = await fetch(`${this.control}/${what}`, { method: "POST", body: JSON.stringify(words), signal: AbortSignal.timeout(60_000) });
    const text = await res.text();
    if (!res.ok) throw new Error(`${this.name} ${what} ${words.join(" ")}: ${text}`);
    return JSON.parse(text);
  }

  async address() {
    return (this.at ??= await this.does("address"));
  }

  reader = (...words) => this.does("reader", ...words);
  sales = () => this.does("sales").then((s) => s ?? []);
  ledger = () => this.does("ledger").then((s) => s ?? []);
  status = () => this.does("status");
  settled = () => this.does("settled");

  /** tidy ends what a failed scenario has left behind. */
  async tidy() {
    for (const [what, ...words] of [["cancel"], ["reader", "replug"], ["reader", "remove"], ["host", "on"], ["posd", "on"], ["settled"]]) {
      await this.does(what, ...words).catch(() => undefined);
    }
  }

  /** last is the newest sale, as the journal has it. */
  async last() {
    return (await this.sales())[0];
  }

  /** booked are the bank's entries of a sale. */
  async booked(sale) {
    return (await this.ledger()).filter((e) => sale.stan && Number(e.stan) === sale.stan);
  }
}

/** until looks again and again until something is so. */
export async function until(what, look, ms = within) {
  const end = Date.now() + ms;
  let seen;
  for (;;) {
    seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((r) => setTimeout(r, 40));
  }
}

export function equal(what, got, want) {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

export function holds(what, so) {
  if (!so) throw new Error(what);
}

/** order starts a transaction as another program at the till would, past the screen. */
export async function order(stage, { kind, amount, tip, cashback, ...more }) {
  const kwd = (minor) => ({ minor, currency: "KWD" });
  const body = { kind, ...(amount && { amount: kwd(amount) }), ...(tip && { tip: kwd(tip) }), ...(cashback && { cashback: kwd(cashback) }), ...more };
  return stage.does("order", JSON.stringify(body));
}

/** digitsInOrder gives a number's text, and fails where its characters do not stand from left to right in that order. */
export async function digitsInOrder(locator) {
  const { text, at } = await locator.evaluate((e) => {
    const walker = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
    let text = "";
    const at = [];
    for (let n = walker.nextNode(); n; n = walker.nextNode()) {
      for (let i = 0; i < n.data.length; i++) {
        const range = document.createRange();
        range.setStart(n, i);
        range.setEnd(n, i + 1);
        const box = range.getBoundingClientRect();
        if (!box.width) continue;
        text += n.data[i];
        at.push(box.left);
      }
    }
    return { text, at };
  });
  for (let i = 1; i < at.length; i++) holds(`${text}: character ${i + 1} stands left of the one before it`, at[i] > at[i - 1]);
  return text;
}

/** open starts the browser, with a profile of its own that ends with it. */
export async function open(executablePath) {
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
      "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--font-render-hinting=none", "--force-color-profile=srgb",
    ],
  });
}

/** A Window is a page that remembers what went wrong in it. */
export async function look(browser, stage, at = "/", options = {}) {
  const context = options.context ?? (await browser.newContext({ baseURL: await stage.address(), viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options }));
  context.setDefaultTimeout(within);
  const page = await context.newPage();
  page.trouble = [];
  page.on("pageerror", (e) => page.trouble.push(`error in the page: ${e.message}`));
  page.on("console", (m) => {
    // A refused or broken request is told to the user by the page itself; the browser's own line about it is no fault.
    if (m.type() === "error" && !/Failed to load resource/.test(m.text())) page.trouble.push(`console: ${m.text()}`);
  });
  await page.goto(at);
  return page;
}

/** play runs scenarios one after the other in one browser and reports each. */
export async function play(scenarios, opts) {
  const browser = await open(opts.chromium);
  const end = () => browser.close().finally(() => process.exit(130));
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  try {
    for (const s of scenarios) {
      if (opts.only && !s.name.includes(opts.only)) continue;
      const stage = opts.stages[s.stage];
      if (!stage) continue;
      const kit = new Kit(browser, stage, s.name, opts);
      const begun = Date.now();
      try {
        await s.play(kit);
        kit.trouble();
        say({ scenario: s.name, done: true, figures: { ms: Date.now() - begun } });
      } catch (e) {
        const shot = await kit.shot();
        say({ scenario: s.name, error: `${e.message}\n${await kit.seen()}`, shot });
        await stage.tidy(); // what comes next is not to suffer for it
      } finally {
        await kit.close();
      }
    }
    say({ done: true });
  } finally {
    await browser.close();
  }
}

/** A Kit is what one scenario has: windows that are closed after it, and a voice. */
export class Kit {
  windows = [];
  contexts = [];

  constructor(browser, stage, name, opts) {
    Object.assign(this, { browser, stage, name, opts });
  }

  async window(at = "/", options = {}) {
    const page = await look(this.browser, this.stage, at, options);
    this.windows.push(page);
    if (!options.context) this.contexts.push(page.context());
    return page;
  }

  /** supervisor opens the cashier's screen of a closed terminal and logs the supervisor in, by the interface. */
  async supervisor() {
    const page = await this.window("/");
    const status = await page.evaluate(async () => {
      const r = await fetch("/v1/login", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name: "sara", secret: "blue.kettle9" }) });
      return r.status;
    });
    equal("log-in", status, 200);
    return page;
  }

  note(text) {
    say({ scenario: this.name, note: text });
  }

  trouble() {
    const all = this.windows.flatMap((w) => w.trouble);
    if (all.length) throw new Error(all.join("; "));
  }

  /** shot keeps a picture of every open window and gives the first one's path. */
  async shot() {
    let first = "";
    for (const [i, w] of this.windows.entries()) {
      const file = path.join(this.opts.shots ?? ".", `${this.name.replace(/\W+/g, "-").slice(0, 60)}-${i + 1}.png`);
      try {
        await w.screenshot({ path: file, timeout: 5000 });
        first ||= file;
      } catch {
        // a window that is gone has no picture
      }
    }
    return first;
  }

  /** seen is what a person reads in every open window. */
  async seen() {
    const texts = await Promise.all(
      this.windows.map((w) => w.evaluate(() => document.body.innerText.replace(/\s*\n\s*/g, " | ").slice(0, 1500)).catch(() => "(gone)")),
    );
    return texts.map((t, i) => `window ${i + 1}: ${t}`).join("\n");
  }

  async close() {
    for (const c of this.contexts) await c.close().catch(() => undefined);
  }
}

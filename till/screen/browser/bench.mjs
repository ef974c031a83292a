// Measures what a cashier waits for, in the browser: from the command to the first event of it, from an event to its paint, and what
// ten open screens cost the daemon.

import { args, look, open, say, until } from "./lib.mjs";

const rounds = 30;
const screens = 10;
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

const opts = args();
const stage = opts.stages.shop;
const browser = await open(opts.chromium);
try {
  await stage.reader("remove");
  const page = await look(browser, stage, "/");
  await page.locator("button.charge, .outcome").first().waitFor();

  // A frame's callback, and a task behind it: what the event changed has been painted then.
  await page.evaluate(() => {
    globalThis.painted = [];
    const mark = performance.mark.bind(performance);
    performance.mark = (name, ...rest) => {
      const made = mark(name, ...rest);
      if (name === "tillway-state") {
        requestAnimationFrame(() => {
          const behind = new MessageChannel();
          behind.port1.onmessage = () => globalThis.painted.push(performance.now() - made.startTime);
          behind.port2.postMessage(0);
        });
      }
      return made;
    };
  });

  const command = [];
  for (let n = 0; n < rounds; n++) {
    command.push(
      await page.evaluate(async (minor) => {
        const stop = new AbortController();
        const post = (path, body) => fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
        const events = (await fetch("/v1/events", { signal: stop.signal })).body.pipeThrough(new TextDecoderStream()).getReader();
        const waiting = async () => {
          let text = "";
          while (!text.includes('"state":"AwaitCard"')) {
            const { value, done } = await events.read();
            if (done) throw new Error("the stream ended");
            text += value;
          }
          return performance.now();
        };
        await events.read(); // the state before
        const begun = performance.now();
        const [seen] = await Promise.all([waiting(), post("/v1/sales", { kind: "sale", amount: { minor, currency: "KWD" } })]);
        await post("/v1/cancel", {});
        stop.abort();
        return seen - begun;
      }, 1000 + n),
    );
    await until("the sale is over", async () => (await stage.status()).state === "Cancelled");
  }
  const painted = await page.evaluate(() => globalThis.painted);
  say({ scenario: "command-to-state", figures: { ms: median(command) } });
  say({ scenario: "event-to-paint", figures: { ms: median(painted) } });

  await page.close();
  const before = await stage.does("memory");
  const pages = [];
  for (let n = 0; n < screens; n++) {
    pages.push(await look(browser, stage, n % 5 === 4 ? "/customer" : "/"));
    await pages.at(-1).getByText("TILLWAY TEST SHOP").first().waitFor();
  }
  const after = await stage.does("memory");
  say({ scenario: "posd-with-ten-screens", figures: { "MiB-RSS": after / 2 ** 20 } });
  say({ scenario: "posd-a-screen", figures: { "KiB-RSS": Math.max(0, after - before) / screens / 2 ** 10 } });
  say({ done: true });
} finally {
  await browser.close();
}

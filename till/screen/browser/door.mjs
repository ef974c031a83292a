// Both pages are there, and nothing in them fails.

import { holds, until } from "./lib.mjs";

export const doors = ["/", "/customer"].map((at) => ({
  name: `the page ${at} opens`,
  stage: "shop",
  async play(kit) {
    const page = await kit.window(at);
    await until("the page shows something", () => page.evaluate(() => document.body.innerText.trim() !== ""));
    holds("the page has a title", (await page.title()) !== "");
  },
}));

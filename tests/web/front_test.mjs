// The page under a path of a proxy, with a key: node front_test.mjs URL KEY FILE-OF-KEYS PID-OF-THE-SERVER
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { launch, open, status, texts, write } from "./browser.mjs";

const [url, key, keys, server] = process.argv.slice(2);
const browser = await launch();
const page = await open(browser, url, { mayFail: (text) => /status of 401/.test(text) });
await page.waitForSelector("#key-dialog[open]");
await page.fill("#key", "wrong");
await page.keyboard.press("Enter");
await page.waitForFunction(() => document.getElementById("key").value === "");
await page.waitForSelector("#key-dialog[open]");
await page.fill("#key", key);
await page.keyboard.press("Enter");
await page.waitForFunction(() => document.querySelector("#model option"));
await write(page, { prompt: "Once", n: 2, max_length: 20 });
await status(page, /All 2 texts/);
assert.equal(new Set(await texts(page)).size, 2);
const kept = await page.evaluate(() => [JSON.stringify(localStorage), document.cookie, sessionStorage.length]);
assert.deepEqual(kept, ["{}", "", 1], "the key is kept in the session alone");
assert.ok(!(await page.content()).includes(key));
await page.click("#link");
assert.ok(!page.url().includes(key));

// The key is taken back while the page is open: it asks for another, and what was written stays.
const before = await texts(page);
const fresh = "another-key-of-the-test";
writeFileSync(keys, fresh + "\n");
process.kill(Number(server), "SIGHUP");
while ((await fetch(url + "v1/models", { headers: { Authorization: `Bearer ${fresh}` } })).status !== 200) {
  await new Promise((go) => setTimeout(go, 20));
}
await page.locator('.tile button[aria-label^="Pin"]').first().click();
await page.click("#run");
await page.waitForSelector("#key-dialog[open]");
assert.match(await page.textContent("#key-why"), /does not know the key/);
assert.deepEqual(await texts(page), before);
await page.keyboard.press("Escape"); // none is given
await page.waitForSelector("#form-error:not([hidden])");
assert.match(await page.textContent("#form-error"), /key that is known/);
assert.deepEqual(await texts(page), before);
await page.fill("#seed", "7");
await page.click("#run");
await page.waitForSelector("#key-dialog[open]");
await page.fill("#key", fresh);
await page.keyboard.press("Enter");
await status(page, /All 2 texts/);
assert.equal((await texts(page))[0], before[0], "what is pinned stays");
assert.equal((await texts(page)).length, 3);
// Several that need it ask once.
writeFileSync(keys, key + "\n");
process.kill(Number(server), "SIGHUP");
while ((await fetch(url + "v1/models", { headers: { Authorization: `Bearer ${key}` } })).status !== 200) {
  await new Promise((go) => setTimeout(go, 20));
}
await page.evaluate(() => {
  const buttons = document.querySelectorAll('.tile button[aria-label^="Re-roll"]');
  for (const button of [buttons[0], buttons[1]]) button.click();
});
await page.waitForSelector("#key-dialog[open]");
await page.fill("#key", key);
await page.keyboard.press("Enter");
await page.waitForFunction(() => [...document.querySelectorAll(".tile")].every((tile) => tile.dataset.state === "done"));
assert.equal(await page.locator("#key-dialog[open]").count(), 0);
page.check();
await browser.close();

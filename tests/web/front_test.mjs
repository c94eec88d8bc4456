// The page under a path of a proxy, with a key: node front_test.mjs URL KEY
import assert from "node:assert/strict";
import { launch, open, status, texts, write } from "./browser.mjs";

const [url, key] = process.argv.slice(2);
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
page.check();
await browser.close();

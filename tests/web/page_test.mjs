// The page in a browser: node page_test.mjs http://127.0.0.1:PORT PID-OF-THE-SERVER
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { PATIENCE, findings, launch, open, status, texts, write } from "./browser.mjs";

const base = process.argv[2], server = Number(process.argv[3]);
const VIEWS = ["chorus", "thought", "score", "tokens", "server"];
const run = promisify(execFile);

const post = async (path, body) => {
  const response = await fetch(base + path, { method: "POST", body: JSON.stringify(body) });
  assert.equal(response.status, 200);
  return response.json();
};
const metric = async (name) => Number(new RegExp(`^${name}\\{.*\\} (\\S+)`, "m").exec(await (await fetch(base + "/metrics")).text())[1]);
const until = async (what, holds, seconds = PATIENCE / 1000) => {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await new Promise((go) => setTimeout(go, 20))) {
    if (await holds()) return;
  }
  assert.fail(`${what}: not within ${seconds} s`);
};
/** Whether the page says that all of its several texts are written. */
const isWritten = (one) => one.evaluate(() => /^All /.test(document.getElementById("status").textContent));
const test = async (name, body) => {
  const begun = performance.now();
  await body();
  console.log(`${name}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
};

const browser = await launch();
const page = await open(browser, base + "/");

await test("the page travels in the program, with tags and a policy", async () => {
  const first = await fetch(base + "/", { headers: { "Accept-Encoding": "identity" } });
  assert.match(first.headers.get("content-security-policy"), /default-src 'none'.*trusted-types 'none'/);
  const tag = first.headers.get("etag");
  assert.equal((await fetch(base + "/", { headers: { "Accept-Encoding": "identity", "If-None-Match": tag } })).status, 304);
  const zipped = await fetch(base + "/ui/main.js");
  assert.equal(zipped.headers.get("content-encoding"), "gzip");
  assert.match(await zipped.text(), /^\/\/ The page/);
  assert.equal((await fetch(base + "/ui/none.js")).status, 404);
});

await test("16 streams of one request are what curl gets with the same seeds", async () => {
  await page.locator("h1").click();
  await page.keyboard.press("d");
  assert.match(await page.inputValue("#prompt"), /Einstein/);
  const requests = [];
  page.on("request", (request) => { if (request.url().endsWith("/v1/completions")) requests.push(request); });
  await page.evaluate(() => {
    window.blocked = [];
    new PerformanceObserver((list) => window.blocked.push(...list.getEntries().map((one) => one.duration))).observe({ type: "longtask" });
  });
  await write(page, { n: 16, max_length: 40, seed: 7 });
  await status(page, /All 16 texts are written/);
  assert.equal(requests.length, 1);
  console.log("main thread held up (ms):", await page.evaluate(() => window.blocked.map(Math.round)));
  const prompt = await page.inputValue("#prompt");
  const { count } = await post("/tokenize", { content: prompt });
  const shown = await texts(page);
  assert.equal(shown.length, 16);
  const alone = await Promise.all(shown.map(async (_, i) => {
    const { stdout } = await run("curl", ["-sS", base + "/v1/completions", "-d",
      JSON.stringify({ prompt, max_tokens: 40 - count, seed: 7 + i, top_k: 50 })]);
    return prompt + JSON.parse(stdout).choices[0].text;
  }));
  assert.deepEqual(shown, alone);
  assert.equal(new Set(shown).size, 16);
  await page.waitForFunction(() => /^[\d,.]+ of [\d,.]+ tokens\/s that this machine's (memory|arithmetic) allows · \d+ tokens in 16 texts$/
    .test(document.getElementById("rates").textContent), null, { timeout: PATIENCE });
  assert.match(await page.textContent("#headers"), /x-request-id/);
});

await test("a rate stands beside the lower of two limits, or beside none that is known", async () => {
  const known = { object: "limits", model: "storyteller", dtype: "f32", threads: 2, bytes_per_step: 30e6, operations_per_token: 15e6,
    bytes_per_second: 3e9, operations_per_second: 15e9, tokens_per_second_each: 100, tokens_per_second: 1000 };
  const unknown = { ...known, bytes_per_second: null, operations_per_second: null, tokens_per_second_each: null, tokens_per_second: null };
  let isKnown = false;
  const other = await open(browser, base + "/", { prepare: (fresh) =>
    fresh.route("**/v1/limits*", (route) => route.fulfill({ json: isKnown ? known : unknown })) });
  await write(other, { prompt: "Once", n: 4, max_length: 20 });
  await status(other, /All 4 texts/);
  assert.match(await other.textContent("#rates"), /^[\d,.]+ tokens\/s \(what this machine allows is not known yet\) · \d+ tokens in 4 texts/);
  isKnown = true;
  const limit = (words) => other.waitForFunction((part) => document.getElementById("rates").textContent.includes(part), words, { timeout: PATIENCE });
  await limit("of 400 tokens/s that this machine's memory allows");
  assert.match(await other.getAttribute("#rates abbr", "title"), /reads all 30 MB .* 100 times a second \(3.0 GB\/s\), so 4 texts together can have 400 tokens\/s/);
  await write(other, { n: 16 });
  await limit("of 1,000 tokens/s that this machine's arithmetic allows");
  await other.goto(base + "/#server");
  await other.waitForFunction(() => /at most100 tokens\/s.*at most1,000 tokens\/s/.test(document.getElementById("server-models").textContent));
  other.check();
  await other.context().close();
});

await test("the same request elsewhere is the same request", async () => {
  await page.locator("#same summary").click();
  const code = await page.textContent("#code");
  const { stdout } = await run("sh", ["-c", code + " -sS"]).catch(() => run("sh", ["-c", code.trim()]));
  const streamed = Array(16).fill("");
  for (const line of stdout.split("\n")) {
    if (!line.startsWith("data: {")) continue;
    for (const choice of JSON.parse(line.slice(6)).choices) streamed[choice.index] += choice.text;
  }
  const prompt = await page.inputValue("#prompt");
  assert.deepEqual(streamed.map((text) => prompt + text), await texts(page));
  await page.click('[data-language="python"]');
  const python = await run("python3", ["-c", await page.textContent("#code")]);
  assert.equal(python.stdout, streamed.map((text, i) => `${i} ${text}\n`).join(""));
  await page.click('[data-language="javascript"]');
  const javascript = await run("node", ["--input-type=module", "-e", await page.textContent("#code")]);
  assert.equal(javascript.stdout, python.stdout);
});

await test("a link writes the same text elsewhere and says so, or that the model is another", async () => {
  const before = await texts(page);
  await page.click("#link");
  const link = page.url();
  assert.match(link, /#chorus\?.*digest=[0-9a-f]{32}&hash=[0-9a-f]{32}/);
  const other = await open(browser, link);
  await other.waitForSelector("#verified:not([hidden])", { timeout: PATIENCE });
  assert.equal(await other.textContent("#verified"), "Same text: verified.");
  assert.deepEqual(await texts(other), before);
  for (const [from, to, words] of [[/hash=./, "hash=g", /Another text/], [/digest=./, "digest=g", /Another model/]]) {
    await other.goto("about:blank");
    await other.goto(link.replace("&n=16", "&n=1").replace(/hash=[0-9a-f]+/, (hash) => hash).replace(from, to));
    await other.waitForSelector("#verified:not([hidden])", { timeout: PATIENCE });
    assert.match(await other.textContent("#verified"), words);
  }
  other.check();
  await other.context().close();
});

await test("by keyboard alone from load to a branch, which is a request by ids", async () => {
  const walker = await open(browser, base + "/");
  await walker.waitForFunction(() => document.querySelector("#model option"));
  const tabTo = async (selector) => {
    for (let i = 0; i < 80; ++i) {
      if (await walker.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
      await walker.keyboard.press("Tab");
    }
    assert.fail(`Tab does not come to ${selector}`);
  };
  await tabTo("#prompt");
  await walker.keyboard.type("The old owl");
  await tabTo("#n");
  await walker.keyboard.press("ControlOrMeta+a");
  await walker.keyboard.type("2");
  await tabTo("#run");
  await walker.keyboard.press("Enter");
  await status(walker, /All 2 texts/);
  await tabTo('.tile button[aria-label^="Open"]');
  await walker.keyboard.press("Enter");
  await walker.waitForSelector("#thought-tokens [data-i]");
  const before = await walker.textContent("#thought-tokens");
  await tabTo("#thought-tokens [data-i]");
  for (let i = 0; i < 3; ++i) await walker.keyboard.press("ArrowRight");
  assert.equal(await walker.evaluate(() => document.activeElement.dataset.i), "3");
  await walker.waitForSelector("#likeliest:not([hidden])");
  assert.match(await walker.textContent("#likeliest"), /Probability.*Surprisal.*Rank.*Entropy/);
  await walker.keyboard.press("Enter");
  assert.equal(await walker.locator("#likeliest li button").count() >= 10, true);
  await walker.keyboard.press("Escape");
  assert.equal(await walker.evaluate(() => document.activeElement.dataset.i), "3", "Escape goes back to the token");
  await walker.keyboard.press("Enter");
  while (await walker.evaluate(() => document.activeElement.getAttribute("aria-current") !== null)) await walker.keyboard.press("ArrowDown");
  await walker.keyboard.press("ArrowDown");
  const id = Number(await walker.evaluate(() => document.activeElement.dataset.id));
  const asked = walker.waitForRequest((request) => request.url().endsWith("/v1/completions"));
  await walker.keyboard.press("Enter");
  const request = (await asked).postDataJSON();
  await status(walker, /The branch is written/);
  assert.equal(request.prompt.at(-1), id);
  assert.deepEqual(request.prompt.every(Number.isInteger), true);
  const direct = await post("/v1/completions", { ...request, stream: false, logprobs: null, return_token_ids: true, rank_and_entropy: false });
  const pieces = (await post("/detokenize", { tokens: [...request.prompt, ...direct.choices[0].token_ids] })).content;
  assert.equal("The old owl" + (await walker.textContent("#thought-tokens")), pieces);
  assert.equal(await walker.locator("#branches [role=treeitem]").count(), 2);
  await tabTo("#branches [role=treeitem]");
  await walker.keyboard.press("ArrowUp");
  await walker.keyboard.press("Enter");
  assert.equal(await walker.textContent("#thought-tokens"), before);
  walker.check();
  await walker.context().close();
});

await test("scores are the server's, by token and by word, with CSV", async () => {
  await page.goto(base + "/#score");
  const text = "It was a bright cold day, and the clocks – \"all\" – were striking.";
  await page.fill("#score-text", text);
  await page.click("#score-form button.main");
  await status(page, /Scored/);
  const { results: [scored] } = await post("/v1/score", { text });
  assert.ok((await page.textContent("#score-sums")).includes(scored.perplexity.toFixed(2)));
  assert.equal(await page.locator("#score-tokens [data-i]").count(), scored.ids.length);
  assert.equal(await page.textContent("#score-tokens"), text);
  assert.equal(await page.locator("#score-chart svg path").count(), 1);
  const words = await page.$$eval("#score-words tbody td:last-child", (cells) => cells.map((cell) => Number(cell.textContent) || 0));
  assert.equal(words.length, text.split(" ").length);
  const sum = scored.surprisals.reduce((all, one) => all + (one ?? 0), 0);
  assert.ok(Math.abs(words.reduce((a, b) => a + b) - sum) < 0.01 * words.length, `${words} are not ${sum}`);
  const saved = page.waitForEvent("download");
  await page.click("#score-csv");
  const lines = (await readFile(await (await saved).path(), "utf8")).trimEnd().split("\r\n");
  assert.equal(lines.length, scored.ids.length + 1);
  assert.equal(Number(lines.at(-1).split(",")[0]), scored.ids.at(-1));
});

await test("text becomes ids and back as one types", async () => {
  await page.goto(base + "/#tokens");
  await page.fill("#tokens-text", "Grüße 🦉");
  const { tokens } = await post("/tokenize", { content: "Grüße 🦉" });
  await page.waitForFunction((ids) => document.getElementById("tokens-ids").value === ids, tokens.join(" "));
  assert.match(await page.textContent("#tokens-list"), /f0 9f/);
  await page.fill("#tokens-ids", "464, 3797");
  await page.waitForFunction(() => document.getElementById("tokens-text").value === "The cat");
  await page.fill("#tokens-ids", "464 x");
  await page.waitForFunction(() => !document.getElementById("tokens-error").hidden);
});

await test("the server's view has its figures and the model's digest", async () => {
  await page.goto(base + "/#server");
  const { data: [model] } = await (await fetch(base + "/v1/models")).json();
  await page.waitForFunction((digest) => document.getElementById("server-models").textContent.includes(digest), model.digest);
  await page.waitForSelector("#server-chart svg");
  assert.match(await page.textContent("#server-now"), /Running.*Waiting/);
  await page.waitForFunction(() => /One text, at most[\d,.]+ tokens\/s/.test(document.getElementById("server-models").textContent));
});

await test("axe finds nothing in both themes, and nothing is wider than a phone", async () => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const view of VIEWS) {
      await page.goto(`${base}/#${view}`);
      if (view === "thought" && !(await page.isVisible("#thought"))) {
        await page.goto(`${base}/#chorus`);
        await page.locator('.tile button[aria-label^="Open"]').first().click();
      }
      await page.setViewportSize({ width: 1280, height: 900 });
      assert.deepEqual(await findings(page), [], `${view}, ${colorScheme}`);
      await page.setViewportSize({ width: 360, height: 740 });
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 360, `${view} is wider than 360`);
    }
    await page.locator("#thought-tokens").waitFor({ state: "attached" });
  }
  await page.goto(`${base}/#thought`);
  await page.locator("#thought-tokens [data-i]").nth(4).click();
  assert.deepEqual(await findings(page), [], "with the likeliest open");
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 360);
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 1280, height: 900 });
});

await test("an error stands beside its field, and 429 is waited for", async () => {
  const other = await open(browser, base + "/", { mayFail: (text) => /status of (400|429|503)/.test(text) });
  await write(other, { prompt: "Once", temperature: -1 });
  await other.waitForSelector("#error-temperature");
  assert.equal(await other.getAttribute("#temperature", "aria-describedby"), "error-temperature");
  let refused = 0;
  await other.route("**/v1/completions", (route) => (refused++ ? route.continue() : route.fulfill({
    status: 429, headers: { "Retry-After": "1" }, contentType: "application/json",
    body: '{"error":{"message":"the queue is full","type":"rate_limit_error","param":null,"code":null}}' })));
  await other.evaluate(() => { // also what stands there for a second
    window.said = [];
    const element = document.getElementById("status");
    new MutationObserver(() => window.said.push(element.textContent)).observe(element, { childList: true, characterData: true, subtree: true });
  });
  const said = (pattern) => other.waitForFunction((text) => window.said.some((one) => new RegExp(text).test(one)), pattern.source, { timeout: PATIENCE });
  await write(other, { temperature: "", n: 1, max_length: 20 });
  await said(/queue is full \(429, attempt 1\); trying again/);
  await status(other, /The text is written/);
  let drained = 0;
  await other.unroute("**/v1/completions");
  await other.route("**/v1/completions", (route) => (drained++ ? route.continue() : route.fulfill({ status: 503,
    contentType: "text/html", body: "<h1>Service Unavailable</h1>" }))); // as a proxy says it
  await write(other, { n: 2 });
  await said(/503.*attempt 1\); trying again/);
  await status(other, /All 2 texts/);
  other.check();
  await other.context().close();
});

await test("a hostile text stays text, and one that is too long is refused beside its field", async () => {
  const other = await open(browser, base + "/", { mayFail: (text) => /status of 400/.test(text) });
  const hostile = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\u202e\u2066\u0000\u0301\u0301\ufffd\\${1}';
  await write(other, { prompt: hostile, n: 2, max_length: 120 });
  await status(other, /All 2 texts/);
  for (const text of await texts(other)) assert.ok(text.startsWith(hostile), JSON.stringify(text));
  await other.locator('.tile button[aria-label^="Open"]').first().click();
  assert.equal(await other.textContent("#thought-prompt"), hostile);
  assert.deepEqual(await other.evaluate(() => [window.hit ?? 0, document.querySelectorAll("main img, main script").length]), [0, 0]);
  await other.goto(base + "/#chorus");
  await other.evaluate(() => { document.getElementById("prompt").value = "x".repeat(300000); }); // longer than the block
  await other.locator("#run").dispatchEvent("click");
  await other.waitForFunction(() => !document.getElementById("form-error").hidden || document.querySelector("#ask .field .error"), null, { timeout: PATIENCE });
  other.check();
  await other.context().close();
});

await test("a stranger's link does no harm", async () => {
  const other = await open(browser, base + "/", { mayFail: (text) => /status of 400/.test(text) });
  for (const fields of ["prompt=a&n=1000000000&max_length=30", "prompt=a&n=-3&max_length=30", "prompt=a&n=1e400&max_length=1e99&seed=1e30",
    "prompt=%E0%A4&max_length=30&temperature=1e308&top_p=7&stop=%00&model=none&loop=none&__proto__=x&hash=%3Cb%3E&digest=%3Ci%3E"]) {
    await other.goto("about:blank");
    await other.goto(`${base}/#chorus?${fields}`);
    await other.waitForFunction(() => !document.getElementById("form-error").hidden || document.querySelector("#ask .field .error") ||
      /written|Another/.test(document.getElementById("status").textContent), null, { timeout: PATIENCE });
    assert.ok(await other.locator(".tile").count() <= 1, fields);
  }
  await write(other, { prompt: "Once", n: 1, max_length: 20, seed: 1, temperature: "", top_p: "", stop: "" });
  await status(other, /The text is written/);
  other.check();
  await other.context().close();
});

await test("a page that is denied its storage writes all the same", async () => {
  const context = await browser.newContext();
  const other = await context.newPage();
  const errors = [];
  other.on("pageerror", (error) => errors.push(error.message));
  await other.addInitScript(() => {
    for (const name of ["sessionStorage", "localStorage"]) {
      Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
    }
  });
  await other.goto(base + "/");
  await write(other, { prompt: "Once", n: 1, max_length: 20 });
  await status(other, /The text is written/);
  assert.deepEqual(errors, []);
  await context.close();
});

await test("stopping one text frees its place, and the others are what they were", async () => {
  const other = await open(browser, base + "/");
  // On a busy machine all may be written before the stop comes, but not each time.
  let left = 0;
  for (let tries = 0; tries < 20 && left !== 3; ++tries) {
    await write(other, { prompt: "A long tale", n: 4, max_length: 1000, seed: 3 });
    await until("running", async () => (await metric("chorus_num_requests_running")) === 4 || isWritten(other));
    const stop = other.locator('.tile[data-seed="4"] button', { hasText: "Stop" });
    if (!(await stop.click({ timeout: 5000 }).then(() => true, () => false))) continue;
    await until("one is free", async () => (left = await metric("chorus_num_requests_running")) < 4);
  }
  assert.equal(left, 3);
  await status(other, /^Stopped/);
  const shown = await texts(other);
  const { choices } = await post("/v1/completions", { prompt: "A long tale", n: 4, seed: 3, top_k: 50,
    max_tokens: 1000 - (await post("/tokenize", { content: "A long tale" })).count });
  choices.forEach(({ text }, i) => {
    if (i !== 1) assert.equal(shown[i], "A long tale" + text);
    else assert.ok(("A long tale" + text).startsWith(shown[i]) && shown[i].length < 11 + text.length);
  });
  other.check();
  await other.context().close();
});

await test("stopping and closing free the places", async () => {
  for (const end of ["stop", "close"]) {
    const other = await open(browser, base + "/");
    let isRunning = false;
    for (let tries = 0; tries < 20 && !isRunning; ++tries) {
      await write(other, { prompt: "A long tale", n: 32, max_length: 700 });
      await until("running", async () => (isRunning = (await metric("chorus_num_requests_running")) >= 16) || isWritten(other));
    }
    assert.ok(isRunning);
    if (end === "stop") await other.click("#stop-all");
    else await other.context().close();
    await until("free", async () => (await metric("chorus_num_requests_running")) === 0);
    if (end === "close") continue;
    await until("drawn", async () => (await other.locator(".tile[data-state=writing]").count()) === 0);
    other.check();
    await other.context().close();
  }
});

await test("what was written stays when the connection ends", async () => {
  const other = await open(browser, base + "/", { mayFail: (text) => /ERR_/.test(text) });
  for (let made = Infinity, tries = 0; made > 20000; ++tries) { // not written before the end comes
    assert.ok(tries < 20);
    const before = await metric("chorus_generation_tokens_total");
    await write(other, { prompt: "A long tale", n: 96, max_length: 250 });
    await other.waitForFunction(() => document.querySelectorAll(".tile [data-i]").length > 40);
    made = await metric("chorus_generation_tokens_total") - before;
  }
  process.kill(server, "SIGKILL");
  await status(other, /what was written stays/);
  assert.ok(await other.locator(".tile [data-i]").count() > 40);
  other.check();
});

page.check();
await browser.close();

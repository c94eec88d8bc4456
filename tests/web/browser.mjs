// Chromium for the tests of the page, and what is asked of every page: no request to another origin, no
// error in its console, no violation of its policy.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const NAMES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Milliseconds after which what does not come is a fault, on a busy machine, too. */
export const PATIENCE = 240000;

export async function launch() {
  const executablePath = process.env.CHROMIUM ?? NAMES.find((name) => existsSync(name));
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--disable-features=Translate,OptimizationHints,MediaRouter", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"] });
}

/** A page whose faults are collected; `mayFail` says which errors of the console are meant, `prepare` does something before
 * it is loaded. */
export async function open(browser, url, { mayFail = () => false, prepare = async () => {}, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !mayFail(message.text())) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.stack}`));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== new URL(url).origin && protocol !== "blob:") faults.push(`foreign: ${request.url()}`);
  });
  await page.addInitScript(() => addEventListener("securitypolicyviolation", (event) =>
    console.error("policy:", event.violatedDirective, event.blockedURI)));
  await prepare(page);
  const response = await page.goto(url);
  assert.equal(response.status(), 200);
  page.check = () => assert.deepEqual(faults, []);
  return page;
}

/** What axe finds, in words. */
export async function findings(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target}: ${node.failureSummary}`));
}

export const status = (page, pattern, timeout = PATIENCE) =>
  page.waitForFunction((text) => new RegExp(text).test(document.getElementById("status").textContent), pattern.source, { timeout });

export async function write(page, fields) {
  for (const [name, value] of Object.entries(fields)) {
    const control = page.locator(`#${name}`);
    if (!(await control.isVisible())) await page.locator("#more summary").click();
    await control.fill(String(value));
  }
  await page.click("#run");
}

/** The texts that stand in the tiles, with their prompts. */
export const texts = (page) => page.$$eval(".tile-text p", (all) => all.map((one) => one.textContent));

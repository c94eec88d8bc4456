// The page with many streams: how long its main thread is held up, and what it takes from the server.
//
//   NODE_PATH=FOLDER/node_modules node bench/page_load.mjs CHORUS MODEL [--streams 64] [--tokens 128]
//     [--pairs 5] [--watched 3] [--server-cpus 0] [--browser-cpus 1]
//     [--hidden] [--trace FILE] [options of chorus serve]
//
// FOLDER has playwright-core, as build/release/tests/web/packages has it after the tests. In turns, on one
// server: the page's own request by curl, and by the page. Prints JSON: for each turn tokens/s from
// the request to its last byte and the processor seconds of server and client; of the page its long tasks
// (over 50 ms, the browser's own count), and the longest gaps of a timer of 5 ms. --trace adds one more turn
// with the browser's trace, written to FILE: each task's time on the clock (dur) and on the processor (tdur),
// since a task of few processor milliseconds that takes long waited for a processor, not for the page.
import { execFile, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { promisify } from "node:util";

const { chromium } = createRequire(import.meta.url)("playwright-core");
const run = promisify(execFile);
const sleep = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));
const round = (value, digits = 1) => Number(value.toFixed(digits));

const options = { streams: 64, tokens: 128, pairs: 5, watched: 3, "server-cpus": "", "browser-cpus": "", trace: "", hidden: false };
const [program, model, ...rest] = process.argv.slice(2);
const others = [];
while (rest.length) {
  const name = rest[0].replace(/^--/, "");
  if (!(name in options)) {
    others.push(rest.shift());
    continue;
  }
  rest.shift();
  options[name] = typeof options[name] === "boolean" ? true : typeof options[name] === "number" ? Number(rest.shift()) : rest.shift();
}
if (!model) {
  console.error("usage: page_load.mjs CHORUS MODEL [options]; the file's head says more");
  process.exit(2);
}

/** Processor seconds of a process and all that came from it but `without`, by what they are. */
function processorSeconds(root, without = 0) {
  const parents = new Map(), own = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const fields = readFileSync(`/proc/${name}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
      const command = readFileSync(`/proc/${name}/cmdline`, "latin1");
      parents.set(Number(name), Number(fields[1]));
      own.set(Number(name), { seconds: [11, 12].reduce((sum, i) => sum + Number(fields[i]), 0) / 100,
        kind: Number(name) === root ? "root" : /--type=([a-z-]+)/.exec(command)?.[1] ?? "browser" });
    } catch {} // it has ended
  }
  const isOf = (pid) => pid === root || (pid > 1 && pid !== without && isOf(parents.get(pid) ?? 0));
  const sums = {};
  for (const [pid, { seconds, kind }] of own) if (isOf(pid)) sums[kind] = (sums[kind] ?? 0) + seconds;
  return sums;
}

/** @param {Record<string, number>} before @param {Record<string, number>} after */
const taken = (before, after) =>
  Object.fromEntries(Object.entries(after).map(([kind, seconds]) => [kind, round(seconds - (before[kind] ?? 0), 2)]).filter(([, seconds]) => seconds));

const onCpus = (cpus, command) => (cpus ? ["taskset", "-c", cpus, ...command] : command);

async function startServer() {
  const threads = options["server-cpus"] ? ["--threads", String(options["server-cpus"].split(",").length), "--no-pin"] : [];
  const [file, ...args] = onCpus(options["server-cpus"],
    [program, "serve", "--model", model, "--port", "0", "--log-level", "info", ...threads, ...others]);
  const server = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  server.stderr.on("data", (data) => { log += data; });
  for (let i = 0; i < 600; ++i, await sleep(100)) {
    const port = /Listening on http:\/\/\S+:(\d+)/.exec(log)?.[1];
    if (server.exitCode !== null) break;
    if (port && (await fetch(`http://127.0.0.1:${port}/health`)).ok) return { server, base: `http://127.0.0.1:${port}` };
  }
  server.kill();
  throw new Error("the server did not start: " + log);
}

const { server, base } = await startServer();
const driver = process.pid;
let browser;
process.on("exit", () => server.kill());

async function byCurl(body) {
  const before = processorSeconds(server.pid);
  const file = "/dev/null";
  const { stdout } = await run("curl", ["-sS", "-o", file, "-w", "%{http_code} %{time_total} %{size_download}",
    base + "/v1/completions", "-H", "Content-Type: application/json", "-d", body]);
  const [status, seconds, bytes] = stdout.split(" ").map(Number);
  if (status !== 200) throw new Error(`curl: ${status}`);
  return { seconds, bytes, serverCpu: taken(before, processorSeconds(server.pid)).root };
}

/** Looks at the main thread while the page writes. */
function watchMainThread() {
  window.seen = { tasks: [], gaps: [] };
  new PerformanceObserver((list) => window.seen.tasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: "longtask" });
  const channel = new MessageChannel();
  let last = performance.now();
  channel.port1.onmessage = () => setTimeout(tick, 5);
  const tick = () => {
    const now = performance.now();
    window.seen.gaps.push(now - last - 5);
    last = now;
    channel.port2.postMessage(0); // no nested timers, which browsers slow down
  };
  tick();
}

const context = async () => {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  await page.goto(base + "/");
  await page.waitForFunction(() => document.querySelector("#model option"));
  return page;
};

async function byPage(page) {
  const prompt = "The old owl";
  const length = options.tokens + (await (await fetch(base + "/tokenize", { method: "POST", body: JSON.stringify({ content: prompt }) })).json()).count;
  await page.fill("#prompt", prompt);
  for (const [name, value] of [["n", options.streams], ["max_length", length], ["seed", 1000]]) await page.fill(`#${name}`, String(value));
  const before = [processorSeconds(server.pid), processorSeconds(driver, server.pid)];
  const asked = page.waitForRequest((request) => request.url().endsWith("/v1/completions"));
  await page.evaluate(() => {
    performance.clearResourceTimings();
    if (window.seen) window.seen.tasks.length = window.seen.gaps.length = 0;
  });
  await page.click("#run");
  const body = (await asked).postData();
  if (options.hidden) await page.evaluate(() => { location.hash = "#tokens"; });
  for (;;) {
    await sleep(500); // seldom, since each look takes the page's time
    const said = await page.textContent("#status");
    if (/^All /.test(said)) break;
    if (!/Writing|^$/.test(said)) throw new Error(said);
  }
  const seen = await page.evaluate(() => {
    const [{ startTime, responseEnd }] = performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/v1/completions"));
    const { tasks = [], gaps = [] } = window.seen ?? {};
    return { seconds: (responseEnd - startTime) / 1000, tasks, gaps: gaps.slice(), heap: performance.memory?.usedJSHeapSize ?? 0,
      nodes: document.querySelectorAll("*").length };
  });
  const after = [processorSeconds(server.pid), processorSeconds(driver, server.pid)];
  return { ...seen, body, serverCpu: taken(before[0], after[0]).root, browserCpu: taken(before[1], after[1]) };
}

function describe(result) {
  const out = { tokensPerSecond: round(options.streams * options.tokens / result.seconds), seconds: round(result.seconds, 2),
    serverCpu: result.serverCpu };
  if (result.bytes) out.bytes = result.bytes;
  if (result.browserCpu === undefined) return out;
  const { root: driver = 0, ...own } = result.browserCpu; // the driver is this program
  Object.assign(out, { browserCpu: round(Object.values(own).reduce((sum, one) => sum + one, 0), 2), browserCpuOf: own, driverCpu: driver,
    heapMB: round(result.heap / 1e6), elements: result.nodes });
  if (!result.gaps.length) return out;
  const gaps = result.gaps.sort((a, b) => b - a);
  return { ...out, longTasks: result.tasks.map(Math.round), longestGaps: gaps.slice(0, 5).map((gap) => round(gap)),
    gapsOver50: gaps.filter((gap) => gap > 50).length };
}

/** The page's main thread in a trace: its longest tasks, on the clock and on the processor. */
function tasksOf(trace) {
  const { traceEvents } = JSON.parse(trace);
  const names = traceEvents.filter((one) => one.name === "thread_name" && one.args.name === "CrRendererMain");
  const weight = (of) => traceEvents.reduce((sum, one) => sum + (one.pid === of.pid && one.tid === of.tid), 0);
  const main = names.sort((a, b) => weight(b) - weight(a))[0];
  const own = traceEvents.filter((one) => one.ph === "X" && one.pid === main.pid && one.tid === main.tid);
  const tasks = own.filter((one) => one.name === "ThreadControllerImpl::RunTask").sort((a, b) => b.dur - a.dur);
  const sums = {};
  for (const one of own) {
    const sum = (sums[one.name] ??= { count: 0, wall: 0, longest: 0 });
    ++sum.count;
    sum.wall += one.dur / 1000;
    sum.longest = Math.max(sum.longest, one.dur / 1000);
  }
  return {
    longest: tasks.slice(0, 12).map((task) => ({ wall: round(task.dur / 1000), processor: task.tdur === undefined ? null : round(task.tdur / 1000),
      inside: own.filter((one) => one !== task && one.ts >= task.ts && one.ts + one.dur <= task.ts + task.dur && one.dur > 5000 && !/RunTask$/.test(one.name))
        .slice(0, 6).map((one) => `${one.name} ${round(one.dur / 1000)}`) })),
    over50: { wall: tasks.filter((task) => task.dur > 50000).length, processor: tasks.filter((task) => task.tdur > 50000).length },
    sums: Object.entries(sums).sort((a, b) => b[1].wall - a[1].wall).slice(0, 20)
      .map(([name, sum]) => `${name}: ${sum.count} times, ${Math.round(sum.wall)} ms, longest ${round(sum.longest)}`),
  };
}

const chromiumPath = process.env.CHROMIUM ?? "/usr/bin/chromium";
try {
  if (options["browser-cpus"]) await run("taskset", ["-cp", options["browser-cpus"], String(driver)]); // and all that it starts
  browser = await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--no-first-run", "--enable-precise-memory-info",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"] });
  const report = { streams: options.streams, tokens: options.tokens, serverCpus: options["server-cpus"] || "all",
    browserCpus: options["browser-cpus"] || "all", turns: [] };
  const page = await context();
  const { body } = await byPage(page); // warms both up
  // One seed for all: texts that are new take new pages of keys and values, which costs the first who asks.
  for (let i = 0; i < options.pairs; ++i) {
    const turns = [async () => ["curl", describe(await byCurl(body))], async () => ["page", describe(await byPage(page))]];
    if (i % 2) turns.reverse();
    for (const turn of turns) {
      const [by, result] = await turn();
      report.turns.push({ by, ...result });
      console.error(by, JSON.stringify(result));
    }
  }
  const rates = (by) => report.turns.filter((turn) => turn.by === by).map((turn) => turn.tokensPerSecond);
  const ratios = rates("page").map((rate, i) => rate / rates("curl")[i]).sort((a, b) => a - b);
  if (ratios.length) report.pageOverCurl = { median: round(ratios[ratios.length >> 1], 3), all: ratios.map((ratio) => round(ratio, 3)) };
  if (options.trace) {
    await browser.startTracing(page, { categories: ["toplevel", "devtools.timeline", "blink", "v8", "disabled-by-default-devtools.timeline"] });
    const result = describe(await byPage(page));
    const trace = (await browser.stopTracing()).toString();
    writeFileSync(options.trace, trace);
    report.traced = { ...result, ...tasksOf(trace) };
  }
  // The timer that looks for gaps takes the processor's time, too: not in the turns above.
  await page.evaluate(watchMainThread);
  report.watched = [];
  for (let i = 0; i < options.watched; ++i) {
    report.watched.push(describe(await byPage(page)));
    console.error("watched", JSON.stringify(report.watched.at(-1)));
  }
  console.log(JSON.stringify(report, null, 1));
} finally {
  await Promise.race([browser?.close(), sleep(3000)]);
  server.kill();
}
process.exit(); // whatever a connection still waits for

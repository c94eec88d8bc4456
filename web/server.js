// The server, from /metrics, /v1/models and /v1/limits, while its view is open.
import { ask, askJson } from "./api.js";
import { drawLine } from "./chart.js";
import { boxes, find, inBytes, make, messageOf } from "./dom.js";
import { learnLimits, limitOf, rounded } from "./limits.js";

const EVERY = 2000; // milliseconds
const KEPT = 600; // seconds

/** @type {{at: number, generated: number}[]} what was seen while the view was open */
let history = [];
let timer = 0;
/** @type {any[]} */
let models = [];

/** Sums of Prometheus's text by name.
 * @param {string} text */
function parse(text) {
  /** @type {Record<string, number>} */
  const sums = {};
  for (const line of text.split("\n")) {
    const found = /^([a-z_:]+)(?:\{.*\})? (\S+)/.exec(line);
    if (found) sums[found[1]] = (sums[found[1]] ?? 0) + Number(found[2]);
  }
  return sums;
}

/** @param {unknown} error @param {string} what */
function showError(error, what) {
  find("server-error").textContent = `${what}: ${messageOf(error)}`;
  find("server-error").hidden = false;
}

/** Tokens per second; the line has gaps where nobody looked, or the server began anew. */
function drawHistory() {
  const first = history[0].at, last = history[history.length - 1].at;
  const points = history.slice(1).map((point, i) => {
    const seconds = point.at - history[i].at, tokens = point.generated - history[i].generated;
    return { x: point.at - last, y: seconds > (3 * EVERY) / 1000 || tokens < 0 ? null : tokens / seconds };
  });
  if (points.length < 2) return;
  const span = `over the last ${Math.round(last - first)} seconds`;
  drawLine(find("server-chart"), points, {
    label: `Tokens per second ${span}; now ${points.at(-1)?.y?.toFixed(0) ?? "unknown"}`,
    x: `tokens/s, ${span}`, end: "now" });
}

async function refresh() {
  try {
    const now = parse(await (await ask("metrics", undefined, { quiet: true })).text());
    const at = performance.now() / 1000;
    history = history.filter((one) => one.at > at - KEPT);
    history.push({ at, generated: now.chorus_generation_tokens_total ?? 0 });
    const looked = now.chorus_prefix_cache_queries_total ?? 0;
    find("server-now").replaceChildren(...boxes([
      ["Running", String(now.chorus_num_requests_running ?? 0)], ["Waiting", String(now.chorus_num_requests_waiting ?? 0)],
      ["Keys and values in use", `${(100 * (now.chorus_kv_cache_usage_perc ?? 0)).toFixed(0)} %`],
      ["Prompt tokens found in the cache", looked ? `${(100 * (now.chorus_prefix_cache_hits_total ?? 0) / looked).toFixed(0)} %` : "none yet"],
      ["Tokens written", (now.chorus_generation_tokens_total ?? 0).toLocaleString("en")],
      ["Connections", String(now.chorus_http_connections ?? 0)]]));
    drawHistory();
    find("server-error").hidden = true;
  } catch (error) {
    showError(error, "metrics");
  }
}

/** @param {any} model
 * @returns {[string, string][]} */
const factsOf = (model) => [
  ["Parameters", `${(model.parameters / 1e6).toFixed(1)} million`], ["Weights", `${model.dtype}, ${inBytes(model.weight_bytes)}`],
  ["Checkpoint's step", model.step === null ? "not stated" : model.step.toLocaleString("en")],
  ["Its validation loss", model.val_loss === null ? "not stated" : model.val_loss.toFixed(4)],
  ["Block size", String(model.max_model_len)], ["Tokenizer", model.tokenizer ?? "none: ids alone"],
  ["Sampling loop", model.loop], ["Computed by", `${model.threads} ${model.threads === 1 ? "thread" : "threads"}, ${model.instructions}${model.amx ? " with AMX" : ""}`],
  ["Room for keys and values", inBytes(model.kv_bytes)], ["Digest", model.digest]];

/** What the machine allows a model.
 * @param {any} model */
function limitsOf(model) {
  const one = limitOf(model.id, 1), all = limitOf(model.id, Infinity);
  if (!one || !all) return [make("p", { class: "soft", text: "What this machine allows is not known yet: it is measured when no request runs." })];
  return [make("dl", { class: "sums" }, ...boxes([["One text, at most", `${rounded(one.rate)} tokens/s`],
    ["All texts together, at most", `${rounded(all.rate)} tokens/s`]])),
  make("p", { class: "soft", text: `${one.words} ${all.words}` })];
}

function drawModels() {
  find("server-models").replaceChildren(...models.map((model) => make("section", { "aria-label": `Model ${model.id}` },
    make("h3", { text: `Model ${model.id}` }), make("dl", { class: "sums" }, ...boxes(factsOf(model))),
    make("h3", { text: "What this machine allows it" }), ...limitsOf(model))));
}

async function showModels() {
  try {
    models = (await askJson("v1/models")).data;
  } catch (error) {
    return showError(error, "models");
  }
  drawModels();
  for (const model of models) learnLimits(model.id, drawModels);
}

export function openServer() {
  clearInterval(timer);
  showModels();
  refresh();
  timer = setInterval(refresh, EVERY);
}

export const closeServer = () => clearInterval(timer);

// The server, from /metrics and /v1/models, while its view is open.
import { ask, askJson } from "./api.js";
import { drawLine } from "./chart.js";
import { find, inBytes, make } from "./dom.js";

const EVERY = 2000; // milliseconds
const KEPT = 300; // samples: ten minutes

/** @type {{at: number, generated: number, read: number}[]} */
const history = [];
let timer = 0;

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

/** @param {string[][]} rows */
const boxes = (rows) => rows.map(([name, value]) => make("div", {}, make("dt", { text: name }), make("dd", { text: value })));

async function refresh() {
  try {
    const now = parse(await (await ask("metrics", undefined, { quiet: true })).text());
    history.push({ at: performance.now() / 1000, generated: now.chorus_generation_tokens_total ?? 0, read: now.chorus_prompt_tokens_total ?? 0 });
    if (history.length > KEPT) history.shift();
    const looked = now.chorus_prefix_cache_queries_total ?? 0;
    find("server-now").replaceChildren(...boxes([
      ["Running", String(now.chorus_num_requests_running ?? 0)], ["Waiting", String(now.chorus_num_requests_waiting ?? 0)],
      ["Keys and values in use", `${(100 * (now.chorus_kv_cache_usage_perc ?? 0)).toFixed(0)} %`],
      ["Prompt tokens found in the cache", looked ? `${(100 * (now.chorus_prefix_cache_hits_total ?? 0) / looked).toFixed(0)} %` : "none yet"],
      ["Tokens written", (now.chorus_generation_tokens_total ?? 0).toLocaleString("en")],
      ["Connections", String(now.chorus_http_connections ?? 0)]]));
    const points = history.slice(1).map((point, i) => ({
      x: point.at - history[0].at, y: (point.generated - history[i].generated) / (point.at - history[i].at) }));
    if (points.length) {
      const last = points.at(-1)?.y ?? 0;
      drawLine(find("server-chart"), points, {
        label: `Tokens per second over the last ${Math.round(history[history.length - 1].at - history[0].at)} seconds; now ${last.toFixed(0)}`,
        unit: "tokens/s", xUnit: "second" });
    }
    find("server-error").hidden = true;
  } catch (error) {
    find("server-error").textContent = `metrics: ${error instanceof Error ? error.message : error}`;
    find("server-error").hidden = false;
  }
}

async function showModels() {
  const { data } = await askJson("v1/models");
  find("server-models").replaceChildren(...data.map((/** @type {any} */ model) => make("section", { "aria-label": `Model ${model.id}` },
    make("h3", { text: `Model ${model.id}` }),
    make("dl", { class: "sums" }, ...boxes([
      ["Parameters", `${(model.parameters / 1e6).toFixed(1)} million`], ["Weights", `${model.dtype}, ${inBytes(model.weight_bytes)}`],
      ["Checkpoint's step", model.step === null ? "not stated" : model.step.toLocaleString("en")],
      ["Its validation loss", model.val_loss === null ? "not stated" : model.val_loss.toFixed(4)],
      ["Block size", String(model.max_model_len)], ["Tokenizer", model.tokenizer ?? "none: ids alone"],
      ["Sampling loop", model.loop], ["Computed by", `${model.threads} ${model.threads === 1 ? "thread" : "threads"}, ${model.instructions}${model.amx ? " with AMX" : ""}`],
      ["Room for keys and values", inBytes(model.kv_bytes)], ["Digest", model.digest]])))));
}

export function openServer() {
  clearInterval(timer);
  showModels().catch((error) => {
    find("server-error").textContent = String(error.message);
    find("server-error").hidden = false;
  });
  refresh();
  timer = setInterval(refresh, EVERY);
}

export function closeServer() {
  clearInterval(timer);
  history.length = 0;
}

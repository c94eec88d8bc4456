// The chorus: many continuations of one prompt, written side by side by one request.
import { askJson, keyOf, ServerError } from "./api.js";
import { copy, find, make, messageOf, say } from "./dom.js";
import { allDrawn, drawSoon, prepareDrawing, watchView } from "./drawing.js";
import { learnLimits, limitOf, rounded } from "./limits.js";
import { hashOf, linkOf } from "./link.js";
import { cancel, Sample, write } from "./samples.js";
import { snippets } from "./snippets.js";
import { hide, prepareColours, spansOf, watch } from "./tokens.js";

const EINSTEIN = "Albert Einstein's Theory of Relativity stated that";
const NUMBERS = ["n", "seed", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"];
const LINKED = ["prompt", "max_length", "model", "loop", "stop", ...NUMBERS];

/** @typedef {{sample: Sample, request: any, stopper: AbortController, isPinned: boolean, element: any, body: any, line: any,
 *   stop: any, pin: any, drawn: number, shownLine: string, shownState: string, isStale: () => boolean, isOpen: () => boolean,
 *   draw: () => void}} Tile */

/** @type {Tile[]} */
let tiles = [];
/** Of the last run; what a link is of. @type {{fields: Record<string, string>, request: any, samples: Sample[]}|null} */
let run = null;
/** @type {AbortController|null} */
let running = null;
/** @type {any[]} */
let models = [];
/** @type {(sample: Sample, request: any, taken?: {index: number, id: number}) => void} */
let openAlone = () => {};
let language = "curl";
/** @type {any} */
let lastRequest = null;

// --- the form ---

export function fieldsOf() {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const name of LINKED) if (find(name).value !== "") fields[name] = find(name).value;
  return fields;
}

/** @param {Record<string, string>} fields */
export function fillForm(fields) {
  for (const name of LINKED) {
    const control = find(name);
    if (name === "model" && ![...control.options].some((option) => option.value === fields.model)) continue;
    control.value = fields[name] ?? "";
  }
}

/** A field's error beside it; without a field of that name, at the form.
 * @param {unknown} error */
function showError(error) {
  const message = messageOf(error);
  const param = error instanceof ServerError ? error.param.replace("max_tokens", "max_length") : "";
  const control = LINKED.includes(param) ? find(param) : null;
  if (!control) {
    find("form-error").textContent = message;
    find("form-error").hidden = false;
  } else {
    const id = `error-${param}`;
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", id);
    control.closest(".field").append(make("p", { id, class: "error", text: message }));
    /** @type {any} */ (control.closest("details") ?? {}).open = true;
    control.focus();
  }
  say(message);
}

function clearErrors() {
  find("form-error").hidden = true;
  for (const error of document.querySelectorAll("#ask .field .error")) error.remove();
  for (const control of document.querySelectorAll("#ask [aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
  }
}

export const currentModel = () => models.find((model) => model.id === find("model").value) ?? models[0];

/** The request of the form, as other programs would send it.
 * @returns {Promise<any>} */
async function requestOf() {
  const fields = fieldsOf();
  const prompt = find("prompt").value;
  /** @type {any} */
  const request = { model: currentModel()?.id, prompt };
  if (!request.model) delete request.model;
  const length = Number(fields.max_length ?? 100);
  const { count } = prompt === "" ? { count: 1 } : await askJson("tokenize", { content: prompt, model: request.model });
  if (length < count) {
    throw new ServerError(400, `max length: expected at least ${count}, the prompt's tokens, found ${length}`, "max_length");
  }
  request.max_tokens = length - count;
  for (const name of NUMBERS) if (fields[name] !== undefined) request[name] = Number(fields[name]);
  if (request.seed !== undefined && !Number.isSafeInteger(request.seed)) {
    throw new ServerError(400, "seed: the page takes whole numbers up to 9007199254740991", "seed");
  }
  if (fields.loop) request.loop = fields.loop;
  if (fields.stop) request.stop = fields.stop.split("\n").filter((line) => line !== "");
  request.n ??= 1;
  request.seed ??= Math.floor(Math.random() * 2 ** 32);
  return request;
}

// --- tiles ---

/** @param {Sample} sample @param {any} request @param {AbortController} stopper
 * @returns {Tile} */
function makeTile(sample, request, stopper) {
  const body = make("div", { class: "tile-text", tabindex: "0", role: "group", "aria-label": `The text of seed ${sample.seed}` },
    make("p", {}, make("span", { class: "prompt", text: request.prompt })));
  const button = (/** @type {string} */ text, /** @type {() => void} */ onclick) =>
    make("button", { type: "button", text, "aria-label": `${text}: seed ${sample.seed}`, onclick });
  /** @type {Tile} */
  const tile = {
    sample, request, stopper, isPinned: false, drawn: 0, shownLine: "", shownState: "", body: body.firstChild,
    isStale: () => tile.drawn < sample.tokens.length || tile.shownState !== sample.state,
    isOpen: () => sample.isOpen,
    draw: () => draw(tile),
    line: make("span", { class: "soft" }),
    stop: button("Stop", () => stopTile(tile)),
    pin: button("Pin", () => {
      tile.isPinned = !tile.isPinned;
      tile.pin.setAttribute("aria-pressed", String(tile.isPinned));
      tile.element.classList.toggle("pinned", tile.isPinned);
    }),
    element: null,
  };
  tile.pin.setAttribute("aria-pressed", "false");
  tile.element = make("article", { class: "tile", "aria-label": `Seed ${sample.seed}`, "data-seed": sample.seed },
    make("div", { class: "above" }, make("strong", { text: `seed ${sample.seed}` }), tile.line), body,
    make("div", { class: "bar" }, tile.stop, tile.pin, button("Re-roll", () => reroll(tile)),
      button("Copy", () => copy(tile.request.prompt + tile.sample.text, `the text of seed ${tile.sample.seed}`)),
      button("Open", () => openAlone(tile.sample, tile.request))));
  watchView(tile);
  watch(tile.body, {
    tokens: () => tile.sample.tokens,
    take: (index, id) => openAlone(tile.sample, tile.request, { index, id }),
  });
  return tile;
}

/** @param {Tile} tile */
function stopTile(tile) {
  tile.sample.end("stopped");
  const isAlone = !tiles.some((other) => other.stopper === tile.stopper && other.sample.isOpen);
  if (isAlone) tile.stopper.abort();
  else cancel(tile.sample);
  say(`Seed ${tile.sample.seed} is stopped.`);
  drawSoon();
}

/** @param {Tile} tile */
async function reroll(tile) {
  tile.stopper.signal.aborted || !tile.sample.isOpen || stopTile(tile);
  const seed = Math.floor(Math.random() * 2 ** 32);
  const request = { ...tile.request, n: 1, seed };
  const fresh = makeTile(new Sample(seed), request, new AbortController());
  tile.element.replaceWith(fresh.element);
  tiles[tiles.indexOf(tile)] = fresh;
  drawSoon();
  await writeAll(request, [fresh.sample], fresh.stopper);
}

const STATES = { waiting: "waiting", writing: "", done: "", stopped: "stopped", failed: "broke off" };

const AT_ONCE = 200; // tokens of a tile in one frame

/** @param {Tile} tile */
function draw(tile) {
  const { sample } = tile;
  if (tile.drawn < sample.tokens.length) {
    const to = Math.min(tile.drawn + AT_ONCE, sample.tokens.length);
    tile.body.append(spansOf(sample.tokens, tile.drawn, to));
    tile.drawn = to;
  }
  const parts = [STATES[sample.state], sample.generated ? `${sample.generated} tokens` : "",
    sample.finish === "stop" ? "ended" : "", sample.rate ? `${sample.rate.toFixed(1)}/s` : ""];
  const line = parts.filter(Boolean).join(" · ");
  if (tile.shownLine !== line) tile.line.textContent = tile.shownLine = line;
  tile.stop.disabled = !sample.isOpen;
  tile.element.dataset.state = tile.shownState = sample.state;
}

/** @param {number} count */
const inTexts = (count) => (count === 1 ? "1 text" : `${count} texts`);

let ratesAt = 0;
function drawRates(isLast = false) {
  const now = performance.now();
  if (!isLast && now - ratesAt < 300) return;
  ratesAt = now;
  const samples = (run?.samples ?? []).filter((sample) => sample.begun);
  if (!samples.length) return;
  const tokens = samples.reduce((sum, sample) => sum + sample.generated, 0);
  const seconds = (Math.max(...samples.map((s) => s.ended)) - Math.min(...samples.map((s) => s.begun))) / 1000;
  const rate = seconds > 0 ? (tokens - samples.length) / seconds : 0;
  const limit = limitOf(run?.request.model ?? "", samples.length);
  find("rates").replaceChildren(
    `${rounded(rate)} ${limit ? `of ${rounded(limit.rate)} ` : ""}tokens/s `,
    limit ? make("abbr", { title: limit.words, text: `that this machine's ${limit.by} allows` })
      : make("abbr", { title: "The server measures it when no request runs.", text: "(what this machine allows is not known yet)" }),
    ` · ${tokens} tokens in ${inTexts(samples.length)}`);
}

const drawLastRates = () => drawRates(true);

// --- running ---

/** @param {any} request @param {Sample[]} samples @param {AbortController} stopper
 * @param {(response: Response) => void} [answered] */
async function writeAll(request, samples, stopper, answered) {
  try {
    await write(request, samples, stopper, drawSoon, answered);
  } catch (error) {
    const kept = samples.some((sample) => sample.generated > 0);
    if (kept) say(`${messageOf(error)}; what was written stays.`);
    else showError(error);
  }
}

/** Runs the form. Resolves when all is written; false if there is none, or not all of it.
 * @returns {Promise<boolean>} */
export async function start() {
  clearErrors();
  running?.abort();
  const stopper = new AbortController();
  running = stopper;
  find("verified").hidden = true;
  let request;
  try {
    request = await requestOf();
  } catch (error) {
    showError(error);
    return false;
  }
  if (stopper.signal.aborted) return false;
  find("seed").value ||= String(request.seed);
  lastRequest = request;
  drawCode();
  hide();
  const most = currentModel()?.limits?.n ?? 128; // of others the server says that it cannot be
  const count = Number.isInteger(request.n) && request.n >= 1 && request.n <= most ? request.n : 1;
  const samples = Array.from({ length: count }, (_, i) => new Sample(request.seed + i));
  run = { fields: fieldsOf(), request, samples };
  for (const tile of tiles) if (!tile.isPinned) tile.element.remove();
  tiles = tiles.filter((tile) => tile.isPinned);
  const fresh = samples.map((sample) => makeTile(sample, request, stopper));
  tiles.push(...fresh);
  find("tiles").append(...fresh.map((tile) => tile.element));
  find("stop-all").disabled = false;
  say(`Writing ${inTexts(samples.length)}.`);
  await writeAll(request, samples, stopper, (response) => {
    find("headers").replaceChildren(...[...response.headers].flatMap(([name, value]) =>
      [make("dt", { text: name }), make("dd", { text: value })]));
  });
  if (samples.every((sample) => sample.state === "failed" && !sample.generated)) {
    for (const tile of fresh) tile.element.remove();
    tiles = tiles.filter((tile) => !fresh.includes(tile));
  }
  await allDrawn();
  if (running !== stopper) return false;
  find("stop-all").disabled = true;
  drawRates(true);
  if (request.model) learnLimits(request.model, drawLastRates);
  const isWhole = samples.every((sample) => sample.state === "done");
  if (isWhole) say(samples.length === 1 ? "The text is written." : `All ${samples.length} texts are written.`);
  else if (samples.some((sample) => sample.state === "stopped")) say("Stopped.");
  return isWhole;
}

/** Fills the form from a link, writes its texts and says whether they are the same.
 * @param {Record<string, string>} fields */
export async function follow(fields) {
  fillForm(fields);
  countPrompt();
  const isWhole = await start();
  const line = find("verified");
  const digest = currentModel()?.digest ?? "";
  if (fields.digest && fields.digest !== digest) {
    line.textContent = `Another model: this one's digest is ${digest}, the link's ${fields.digest}.`;
  } else if (fields.hash && isWhole && run) {
    const isSame = hashOf(run.samples.map((sample) => sample.text)) === fields.hash;
    line.textContent = isSame ? "Same text: verified." : "Another text than the link's, by the same model.";
    line.dataset.same = String(isSame);
  } else {
    return;
  }
  line.hidden = false;
  say(line.textContent);
}

function copyLink() {
  const isWhole = run !== null && run.samples.every((sample) => sample.state === "done");
  const hash = isWhole && run ? hashOf(run.samples.map((sample) => sample.text)) : "";
  const link = linkOf(run?.fields ?? fieldsOf(), currentModel()?.digest ?? "", hash);
  history.replaceState(null, "", link);
  copy(link, isWhole ? "a link to these texts, with their hash" : "a link to this request");
}

function drawCode() {
  const request = lastRequest ?? { prompt: find("prompt").value };
  const all = /** @type {Record<string, string>} */ (snippets(request, keyOf() !== ""));
  find("code").textContent = all[language];
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(/** @type {any} */ (button).dataset.language === language));
  }
}

let countTimer = 0;
function countPrompt() {
  clearTimeout(countTimer);
  countTimer = setTimeout(async () => {
    const prompt = find("prompt").value;
    try {
      const { count } = prompt ? await askJson("tokenize", { content: prompt, model: currentModel()?.id }, { quiet: true }) : { count: 0 };
      if (prompt === find("prompt").value) find("prompt-count").textContent = prompt ? `${count} tokens` : "";
    } catch {
      find("prompt-count").textContent = "";
    }
  }, 200);
}

function einstein() {
  find("prompt").value = EINSTEIN;
  countPrompt();
  find("prompt").focus();
  say("The prompt is Einstein's.");
}

/** @param {any[]} known */
export function setModels(known) {
  models = known;
  const wanted = find("model").value;
  find("model").replaceChildren(...known.map((model) => make("option", { value: model.id, text: model.id })));
  if (known.some((model) => model.id === wanted)) find("model").value = wanted;
  takeModel();
}

/** The chosen model bounds what may be asked, and its rate. */
function takeModel() {
  const model = currentModel();
  if (!model) return;
  find("n").max = model.limits.n;
  find("max_length").max = model.limits.block_size;
  learnLimits(model.id, drawLastRates);
}

/** @param {(sample: Sample, request: any, taken?: {index: number, id: number}) => void} open */
export function prepareChorus(open) {
  openAlone = open;
  prepareDrawing(() => tiles, drawRates);
  find("ask").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    start();
  });
  find("stop-all").addEventListener("click", () => {
    running?.abort();
    for (const tile of tiles) {
      tile.stopper.abort();
      tile.sample.end("stopped");
    }
    find("stop-all").disabled = true;
    drawSoon();
  });
  find("model").addEventListener("change", () => {
    takeModel();
    countPrompt();
  });
  find("einstein").addEventListener("click", einstein);
  find("link").addEventListener("click", copyLink);
  find("prompt").addEventListener("input", countPrompt);
  find("prompt").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) start();
  });
  find("copy-code").addEventListener("click", () => copy(find("code").textContent, "the code"));
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      language = /** @type {any} */ (button).dataset.language;
      drawCode();
    });
  }
  prepareColours(find("colour"), find("legend"), find("tiles"));
  drawCode();
  addEventListener("keydown", (event) => {
    const target = /** @type {any} */ (event.target);
    const isTyping = target.closest?.("input, textarea, select, dialog");
    if (event.key === "d" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping && !find("view-chorus").hidden) {
      event.preventDefault();
      einstein();
    }
  });
}

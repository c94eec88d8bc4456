// How surprising a text is to the model: by token and by word, with its mean and a line along the text.
import { askJson } from "./api.js";
import { drawLine } from "./chart.js";
import { currentModel } from "./chorus.js";
import { boxes, download, find, make, messageOf, say } from "./dom.js";
import { bytesOf, legendOf, spansOf, visible, watch } from "./tokens.js";

/** @typedef {import("./samples.js").Token} Token */
/** @type {Token[]} */
let tokens = [];
/** @type {any} */
let result = null;

/** @param {string} text */
const cell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
/** @param {any[][]} rows */
const csv = (rows) => rows.map((row) => row.map((value) => cell(value === null || value === undefined ? "" : String(value))).join(",")).join("\r\n") + "\r\n";

/** @param {any} scored @returns {Token[]} */
function tokensOf(scored) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return scored.ids.map((/** @type {number} */ id, /** @type {number} */ i) => {
    const name = scored.tokens[i];
    const bytes = bytesOf(name);
    const logprob = scored.logprobs[i];
    return { id, name, bytes, piece: decoder.decode(Uint8Array.from(bytes), { stream: true }), logprob,
      rank: scored.ranks?.[i] ?? null, entropy: scored.entropies?.[i] ?? null, top: logprob === null ? [] : [{ id, token: name, logprob }] };
  });
}

/** Words of the text, as the server counts them if it does, else by white space.
 * @param {any} scored @returns {{word: string, count: number, surprisal: number|null}[]} */
function wordsOf(scored) {
  /** @type {{word: string, count: number, surprisal: number|null}[]} */
  const words = [];
  tokens.forEach((token, i) => {
    const surprisal = scored.surprisals[i];
    if (!words.length || /^\s/.test(token.piece)) words.push({ word: "", count: 0, surprisal: 0 });
    const word = words[words.length - 1];
    word.word += token.piece;
    ++word.count;
    word.surprisal = surprisal === null || word.surprisal === null ? null : word.surprisal + surprisal;
  });
  return words.filter((word) => word.word.trim());
}

/** @param {any} scored */
function show(scored) {
  result = scored;
  tokens = tokensOf(scored);
  const mean = scored.loss === null ? null : scored.loss / Math.log(2);
  find("score-sums").replaceChildren(...boxes([["Tokens", String(scored.ids.length)], ["Scored", String(scored.scored)],
    ["Mean surprisal", mean === null ? "none" : `${mean.toFixed(3)} bits`],
    ["Perplexity", scored.perplexity === null ? "none" : scored.perplexity.toFixed(2)]]));
  const points = tokens.map((token, i) => ({ x: i + 1, y: scored.surprisals[i] }));
  const most = points.reduce((a, b) => ((b.y ?? -1) > (a.y ?? -1) ? b : a), points[0]);
  find("score-result").hidden = false;
  drawLine(find("score-chart"), points, {
    label: `Surprisal of ${tokens.length} tokens, in the mean ${mean?.toFixed(2)} bits; the most is ${most.y?.toFixed(1)} bits at token ${most.x}, ${visible(tokens[most.x - 1].name)}`,
    x: "bits, by token", end: String(tokens.length), mean: mean ?? undefined,
  });
  find("score-legend").dataset.colour = "surprisal";
  find("score-legend").replaceChildren(...legendOf("surprisal"));
  find("score-tokens").replaceChildren(spansOf(tokens, 0, tokens.length));
  find("score-words").tBodies[0].replaceChildren(...wordsOf(scored).map((word) => make("tr", {},
    make("th", { scope: "row", text: word.word.trim() }), make("td", { text: String(word.count) }),
    make("td", { text: word.surprisal === null ? "–" : word.surprisal.toFixed(2) }))));
  find("score-csv").disabled = find("score-words-csv").disabled = false;
  say(`Scored ${scored.scored} tokens: perplexity ${scored.perplexity?.toFixed(2) ?? "none"}.`);
}

export function prepareScore() {
  watch(find("score-tokens"), { tokens: () => tokens, take: null });
  find("score-form").addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    find("score-error").hidden = true;
    find("score-text").removeAttribute("aria-invalid");
    try {
      const answer = await askJson("v1/score", { text: find("score-text").value, bos: find("score-bos").checked,
        model: currentModel()?.id, rank_and_entropy: true }, { patient: true });
      show(answer.results[0]);
    } catch (error) {
      find("score-error").textContent = messageOf(error);
      find("score-error").hidden = false;
      find("score-text").setAttribute("aria-invalid", "true");
      say(find("score-error").textContent);
    }
  });
  find("score-csv").addEventListener("click", () => download(csv([["id", "token", "logprob", "surprisal_bits", "rank", "entropy_nats", "context"],
    ...tokens.map((token, i) => [token.id, token.name, token.logprob, result.surprisals[i], token.rank, token.entropy, result.contexts[i]])]), "tokens.csv", "text/csv"));
  find("score-words-csv").addEventListener("click", () => download(csv([["word", "tokens", "surprisal_bits"],
    ...wordsOf(result).map((word) => [word.word.trim(), word.count, word.surprisal])]), "words.csv", "text/csv"));
}

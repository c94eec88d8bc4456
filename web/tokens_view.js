// Text to ids and back as one types, with bytes.
import { askJson } from "./api.js";
import { currentModel } from "./chorus.js";
import { find, make, messageOf } from "./dom.js";
import { visible } from "./tokens.js";

let timer = 0;
let turn = 0; // answers that come late are not shown

/** @param {unknown} error */
function showError(error) {
  find("tokens-error").textContent = messageOf(error);
  find("tokens-error").hidden = false;
}

/** @param {{id: number, piece: string|number[]}[]} tokens */
function show(tokens) {
  find("tokens-error").hidden = true;
  const bytes = (/** @type {string|number[]} */ piece) => (typeof piece === "string" ? [...new TextEncoder().encode(piece)] : piece);
  const hex = (/** @type {number[]} */ list) => list.map((byte) => byte.toString(16).padStart(2, "0"));
  const sum = tokens.reduce((all, token) => all + bytes(token.piece).length, 0);
  find("tokens-count").textContent = `${tokens.length} tokens, ${sum} bytes`;
  find("tokens-list").replaceChildren(...tokens.slice(0, 2000).map((token) => {
    const list = hex(bytes(token.piece));
    return make("li", {}, make("span", { class: "piece", text: visible(typeof token.piece === "string" ? token.piece : `bytes:\\x${list.join("\\x")}`) }),
      make("span", { class: "id", text: String(token.id) }), make("span", { class: "soft", text: list.join(" ") }));
  }));
}

/** @param {() => Promise<void>} work */
function soon(work) {
  clearTimeout(timer);
  timer = setTimeout(() => work().catch(showError), 120);
}

function fromText() {
  soon(async () => {
    const mine = ++turn;
    const answer = await askJson("tokenize", { content: find("tokens-text").value, special: find("tokens-special").checked,
      with_pieces: true, model: currentModel()?.id });
    if (mine !== turn) return;
    find("tokens-ids").value = answer.tokens.map((/** @type {any} */ token) => token.id).join(" ");
    show(answer.tokens);
  });
}

function fromIds() {
  soon(async () => {
    const mine = ++turn;
    const words = find("tokens-ids").value.split(/[\s,[\]]+/).filter(Boolean);
    const wrong = words.find((/** @type {string} */ word) => !/^\d{1,9}$/.test(word));
    if (wrong !== undefined) throw new Error(`tokens: expected ids, found "${wrong}"`);
    const answer = await askJson("detokenize", { tokens: words.map(Number), with_pieces: true, model: currentModel()?.id });
    if (mine !== turn) return;
    find("tokens-text").value = answer.content;
    show(answer.pieces);
  });
}

export function prepareTokensView() {
  find("tokens-text").addEventListener("input", fromText);
  find("tokens-special").addEventListener("change", fromText);
  find("tokens-ids").addEventListener("input", fromIds);
}

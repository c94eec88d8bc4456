// Tokens as they are shown: coloured in five classes, with what else could have stood there.
import { find, make } from "./dom.js";

/** @typedef {import("./samples.js").Token} Token */

const LN2 = Math.log(2);
const SURPRISAL = [1, 3, 6, 10]; // bits: a class begins at each
const RANK = [2, 11, 101, 1001]; // GLTR's bins, and the likeliest for itself

/** @param {number} logprob */
export const bits = (logprob) => Math.abs(logprob) / LN2;

/** @param {number[]} limits @param {number} value */
const classOf = (limits, value) => limits.filter((limit) => value >= limit).length;

/** @param {string} colour */
export function legendOf(colour) {
  const words = colour === "rank" ? ["likeliest", "2–10", "11–100", "101–1000", "over 1000"]
    : ["under 1 bit", "1–3", "3–6", "6–10", "10+"];
  if (colour === "none") return [];
  return [make("span", { class: "soft", text: colour === "rank" ? "Rank: " : "Surprisal: " }),
    ...words.map((text, i) => make("span", { class: "tok", "data-s": i, "data-r": i, text }))];
}

/** Colours a container's tokens as a menu says, and explains the colours.
 * @param {any} menu @param {any} legend @param {any} container */
export function prepareColours(menu, legend, container) {
  const colour = () => {
    container.dataset.colour = legend.dataset.colour = menu.value;
    legend.replaceChildren(...legendOf(menu.value));
  };
  menu.addEventListener("change", colour);
  colour();
}

/** A token's name, with what cannot be seen made visible.
 * @param {string} name */
export function visible(name) {
  if (name.startsWith("bytes:")) return `⟨${name.slice(6).replaceAll("\\x", " ").trim()}⟩`;
  return name.replace(/^ /, "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll("\r", "␍")
    .replace(/[\u0000-\u001f\u007f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`) || "(empty)";
}

/** The bytes of a token by its name.
 * @param {string} name */
export function bytesOf(name) {
  if (!name.startsWith("bytes:")) return [...new TextEncoder().encode(name)];
  return name.slice(6).split("\\x").filter(Boolean).map((hex) => parseInt(hex, 16));
}

/** @param {Token} token @param {number} index */
function tokenSpan(token, index) {
  return make("span", {
    class: token.taken ? "tok taken" : "tok",
    "data-i": index,
    "data-s": token.logprob === null ? null : classOf(SURPRISAL, bits(token.logprob)),
    "data-r": token.rank === null ? null : classOf(RANK, token.rank),
    text: token.piece,
  });
}

/** The spans of tokens, with the space that begins one outside of it, so that no line ends in a coloured gap.
 * @param {Token[]} tokens @param {number} from @param {number} to @param {(span: any, token: Token) => void} [finish] */
export function spansOf(tokens, from, to, finish) {
  const all = document.createDocumentFragment();
  for (let i = from; i < to; ++i) {
    const span = tokenSpan(tokens[i], i);
    const text = tokens[i].piece;
    if (/^ \S/.test(text)) {
      all.append(" ");
      span.textContent = text.slice(1);
    }
    finish?.(span, tokens[i]);
    all.append(span);
  }
  return all;
}

// --- the box with the likeliest ---

/** @type {{container: any, index: number, isPinned: boolean}|null} */
let shown = null;
let hideTimer = 0;

/** @typedef {{tokens: () => Token[], take: ((index: number, id: number) => void)|null}} Source */
/** @type {WeakMap<any, Source>} */
const sources = new WeakMap();

/** @param {number} p */
const percent = (p) => (p >= 0.0995 ? `${(100 * p).toFixed(0)} %` : p >= 0.0001 ? `${(100 * p).toPrecision(2)} %` : "<0.01 %");

/** @param {Token} token @param {number} index @param {Source} source */
function fill(token, index, source) {
  const box = find("likeliest");
  const facts = make("dl", { class: "pairs" });
  const fact = (/** @type {string} */ name, /** @type {string} */ value) => facts.append(make("dt", { text: name }), make("dd", { text: value }));
  if (token.logprob !== null) {
    fact("Probability", percent(Math.exp(token.logprob)));
    fact("Surprisal", `${bits(token.logprob).toFixed(2)} bits`);
  }
  if (token.rank !== null) fact("Rank", token.rank.toLocaleString("en"));
  if (token.entropy !== null) fact("Entropy", `${(token.entropy / LN2).toFixed(2)} bits`);
  fact("Id", String(token.id));
  fact("Bytes", token.bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ") || "none");
  const list = make("ol");
  for (const other of token.top) {
    const p = Math.exp(other.logprob);
    const bar = make("span", { class: "likely-bar", "aria-hidden": "true" });
    bar.style.inlineSize = `${Math.max(1, 100 * p)}%`;
    const isChosen = other.id === token.id;
    const parts = [bar, make("span", { class: "likely-name", text: visible(other.token) }),
      make("span", { class: "likely-p", text: percent(p) })];
    const row = source.take
      ? make("button", { type: "button", "data-id": other.id, "aria-current": isChosen ? "true" : null,
        title: isChosen ? "the one that stands here" : "take this one and go on from here" }, ...parts)
      : make("span", { class: "likely-row", "aria-current": isChosen ? "true" : null }, ...parts);
    list.append(make("li", {}, row));
  }
  box.replaceChildren(
    make("div", { class: "above" }, make("strong", { class: "likely-title", text: visible(token.name) }),
      make("button", { type: "button", class: "close", "aria-label": "Close", text: "×", onclick: () => hide(true) })),
    facts, list);
  box.dataset.index = String(index);
}

/** Whether the box is a sheet at the bottom of a small screen. */
const isSheet = () => matchMedia("(max-width: 34rem)").matches;

/** @param {any} span */
function place(span) {
  const box = find("likeliest");
  box.hidden = false;
  box.style.insetInlineStart = box.style.insetBlockStart = "";
  if (isSheet()) return span.scrollIntoView({ block: "nearest" });
  const at = span.getClientRects()[0] ?? span.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const below = at.bottom + 6 + height < innerHeight || at.top < height + 6;
  box.style.insetInlineStart = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - width - 8))}px`;
  box.style.insetBlockStart = `${Math.max(8, below ? Math.min(at.bottom + 6, innerHeight - height - 8) : at.top - height - 6)}px`;
}

/** @param {any} container @param {any} span @param {boolean} isPinned */
function show(container, span, isPinned) {
  const source = sources.get(container);
  const index = Number(span.dataset.i);
  const token = source?.tokens()[index];
  if (!source || !token || !token.top.length) return;
  clearTimeout(hideTimer);
  if (shown?.isPinned && !isPinned) return;
  document.querySelector(".tok.shown")?.classList.remove("shown");
  span.classList.add("shown");
  if (shown?.container !== container || shown?.index !== index) fill(token, index, source);
  shown = { container, index, isPinned };
  place(span);
}

/** @param {boolean} back whether the focus goes back to the token */
export function hide(back = false) {
  clearTimeout(hideTimer);
  if (!shown) return;
  const span = shown.container.querySelector(`[data-i="${shown.index}"]`);
  span?.classList.remove("shown");
  shown = null;
  find("likeliest").hidden = true;
  if (back && span?.hasAttribute("tabindex")) span.focus({ preventScroll: true });
}

function hideSoon() {
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => { if (shown && !shown.isPinned) hide(); }, 250);
}

/** Makes the tokens of a container show their likeliest.
 * @param {any} container @param {Source} source */
export function watch(container, source) {
  sources.set(container, source);
  const tokenOf = (/** @type {Event} */ event) => /** @type {any} */ (event.target).closest?.("[data-i]");
  container.addEventListener("pointerover", (/** @type {PointerEvent} */ event) => {
    const span = tokenOf(event);
    if (span && event.pointerType === "mouse" && !isSheet()) show(container, span, false);
  });
  container.addEventListener("pointerout", hideSoon);
  container.addEventListener("click", (/** @type {Event} */ event) => {
    const span = tokenOf(event);
    if (span) show(container, span, true);
  });
}

/** Makes them a group in which arrow keys move, too.
 * @param {any} container */
export function walk(container) {
  const tokens = () => [...container.querySelectorAll("[data-i]")];
  container.addEventListener("focusin", (/** @type {Event} */ event) => {
    const span = /** @type {any} */ (event.target).closest("[data-i]");
    if (!span) return;
    for (const other of container.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    span.tabIndex = 0;
    // A pointer's focus is followed by its click; what is shown before may move the text away from under it.
    if (!shown?.isPinned && span.matches(":focus-visible")) show(container, span, false);
  });
  container.addEventListener("focusout", hideSoon);
  container.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const all = tokens();
    const at = all.indexOf(/** @type {any} */ (event.target));
    if (at < 0) return;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + 10, ArrowUp: at - 10, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      hide();
      all[Math.max(0, Math.min(to, all.length - 1))].focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      show(container, event.target, true);
      /** @type {any} */ (find("likeliest").querySelector("li button") ?? find("likeliest").querySelector("button")).focus();
    }
  });
}

/** What all boxes have in common; once. */
export function prepareTokens() {
  const box = find("likeliest");
  box.addEventListener("pointerenter", () => clearTimeout(hideTimer));
  box.addEventListener("pointerleave", hideSoon);
  box.addEventListener("click", (/** @type {Event} */ event) => {
    const button = /** @type {any} */ (event.target).closest("button[data-id]");
    if (!button || !shown) return;
    const { container, index } = shown;
    hide();
    sources.get(container)?.take?.(index, Number(button.dataset.id));
  });
  box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const buttons = [...box.querySelectorAll("li button")];
    const at = buttons.indexOf(/** @type {any} */ (event.target));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    /** @type {any} */ (buttons[Math.max(0, Math.min(to, buttons.length - 1))]).focus();
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(true); });
  addEventListener("scroll", () => { if (shown && !shown.isPinned) hide(); }, { passive: true, capture: true });
  addEventListener("pointerdown", (event) => {
    const target = /** @type {any} */ (event.target);
    if (shown?.isPinned && !target.closest?.("#likeliest") && !target.closest?.("[data-i]")) hide();
  });
}

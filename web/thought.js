// What the model thought: one text, token by token, and the branches taken from it. A branch goes on
// from the ids before it and the one that was taken, so no token is ever read again as text.
import { copy, find, make, messageOf, say } from "./dom.js";
import { Sample, write } from "./samples.js";
import { bytesOf, hide, prepareColours, spansOf, visible, walk, watch } from "./tokens.js";

/** @typedef {{sample: Sample, request: any, parent: Branch|null, at: number, children: Branch[], label: string,
 *   stopper: AbortController|null}} Branch */

/** @type {Branch[]} */
const roots = [];
/** @type {Branch|null} */
let current = null;
let drawn = 0;
let blockSize = () => 1024;

/** Opens a text; with `taken`, a branch of it at once.
 * @param {Sample} sample @param {any} request @param {{index: number, id: number}} [taken] */
export function openText(sample, request, taken) {
  let root = roots.find((one) => one.sample === sample);
  if (!root) {
    root = { sample, request, parent: null, at: 0, children: [], label: `seed ${sample.seed}`, stopper: null };
    roots.push(root);
  }
  location.hash = "#thought";
  find("thought").hidden = false;
  find("thought-hint").hidden = true;
  select(root);
  if (taken) take(taken.index, taken.id);
}

/** The request of a branch: by ids, with as many new tokens as the text's own had, if the block holds them.
 * @param {Branch} from @param {number} index @param {number} id */
function requestAt(from, index, id) {
  const prompt = [...from.sample.promptIds, ...from.sample.tokens.slice(0, index).map((token) => token.id), id];
  const max_tokens = Math.max(0, Math.min(from.request.max_tokens, blockSize() - prompt.length));
  return { ...from.request, prompt, n: 1, seed: from.sample.seed, max_tokens };
}

/** Takes the token `id` in place of the one at `index`, and goes on from there.
 * @param {number} index @param {number} id */
async function take(index, id) {
  if (!current) return;
  const from = current;
  const there = from.children.find((child) => child.at === index && child.sample.tokens[index]?.id === id);
  if (there) return select(there);
  const old = from.sample.tokens[index];
  const other = old.top.find((one) => one.id === id);
  if (!other) return;
  const sample = new Sample(from.sample.seed);
  for (const token of from.sample.tokens.slice(0, index)) sample.add({ ...token });
  const bytes = id === old.id ? old.bytes : bytesOf(other.token);
  const rank = id === old.id ? old.rank : old.top.indexOf(other) + 1;
  sample.add({ ...old, id, name: other.token, bytes, logprob: other.logprob, rank, taken: true });
  const request = requestAt(from, index, id);
  const begin = sample.tokens.map((token) => token.piece).join("");
  sample.text = begin;
  const promptIds = from.sample.promptIds;
  /** @type {Branch} */
  const branch = { sample, request: from.request, parent: from, at: index, children: [], stopper: new AbortController(),
    label: `${visible(old.name)} → ${visible(other.token)}` };
  from.children.push(branch);
  select(branch, index);
  say(`A branch: ${visible(other.token)} in place of ${visible(old.name)}.`);
  const stopper = /** @type {AbortController} */ (branch.stopper);
  try {
    await write(request, [sample], stopper, () => {
      sample.promptIds = promptIds; // the request's are those before this branch's own tokens
      if (current === branch) draw();
    });
    say(`The branch is ${sample.state === "stopped" ? "stopped" : "written"}: ${sample.generated} tokens.`);
  } catch (error) {
    say(`${messageOf(error)}; what was written stays.`);
  }
  branch.stopper = null;
  if (current === branch) draw();
  drawTree();
}

// --- the text ---

function draw() {
  if (!current) return;
  const { sample } = current;
  const tokens = sample.tokens;
  if (drawn < tokens.length) {
    find("thought-tokens").append(spansOf(tokens, drawn, tokens.length, (span, token) => {
      span.setAttribute("role", "button");
      span.tabIndex = -1;
      if (!token.piece.trim()) span.setAttribute("aria-label", visible(token.name));
    }));
    drawn = tokens.length;
  }
  const box = find("thought-tokens");
  if (!box.querySelector('[tabindex="0"]') && box.firstElementChild) box.firstElementChild.tabIndex = 0;
  const sum = tokens.reduce((all, token) => all + (token.logprob ?? 0), 0);
  const bits = tokens.length ? -sum / tokens.length / Math.log(2) : 0;
  find("thought-state").textContent = `Seed ${sample.seed} · ${tokens.length} tokens · ${bits.toFixed(2)} bits a token` +
    (sample.state === "writing" || sample.state === "waiting" ? " · being written" : sample.finish === "stop" ? " · ended" : "");
  find("thought-stop").disabled = !(current.stopper && sample.isOpen);
}

/** @param {Branch} branch @param {number} [focusAt] the token that gets the focus */
function select(branch, focusAt) {
  hide();
  current = branch;
  drawn = 0;
  find("thought-prompt").textContent = typeof branch.request.prompt === "string" ? branch.request.prompt : "";
  find("thought-tokens").replaceChildren();
  draw();
  drawTree();
  if (focusAt !== undefined) find("thought-tokens").children[focusAt]?.focus({ preventScroll: true });
  hide();
}

// --- the tree ---

/** @param {Branch} branch @param {number} level
 * @returns {any} */
function itemOf(branch, level) {
  const name = make("span", { class: "branch", text: branch.label });
  const item = make("li", { role: "treeitem", "aria-level": level, "aria-selected": String(branch === current), tabindex: branch === current ? "0" : "-1",
    "aria-expanded": branch.children.length ? "true" : null, "aria-label": branch.label }, name);
  item.branch = branch;
  if (branch.children.length) item.append(make("ul", { role: "group" }, ...branch.children.map((child) => itemOf(child, level + 1))));
  return item;
}

function drawTree() {
  const hadFocus = find("branches").contains(document.activeElement);
  find("branches").replaceChildren(...roots.map((root) => itemOf(root, 1)));
  if (hadFocus) find("branches").querySelector('[tabindex="0"]')?.focus();
}

/** @param {() => number} block the model's block size */
export function prepareThought(block) {
  blockSize = block;
  watch(find("thought-tokens"), { tokens: () => current?.sample.tokens ?? [], take });
  walk(find("thought-tokens"));
  const tree = find("branches");
  const itemAt = (/** @type {Event} */ event) => /** @type {any} */ (event.target).closest?.('[role="treeitem"]');
  tree.addEventListener("click", (/** @type {Event} */ event) => {
    const item = itemAt(event);
    if (item) select(item.branch);
  });
  tree.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const item = itemAt(event);
    if (!item) return;
    const all = [...tree.querySelectorAll('[role="treeitem"]')];
    const at = all.indexOf(item);
    let to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "ArrowLeft") to = all.indexOf(item.parentElement.closest('[role="treeitem"]'));
    if (event.key === "ArrowRight" && item.branch.children.length) to = at + 1;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      select(item.branch);
      find("branches").querySelector('[tabindex="0"]')?.focus();
    } else if (to !== undefined && to >= 0) {
      event.preventDefault();
      const next = all[Math.min(to, all.length - 1)];
      item.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
  });
  find("thought-stop").addEventListener("click", () => {
    current?.stopper?.abort();
    current?.sample.end("stopped");
    draw();
  });
  find("thought-copy").addEventListener("click", () => {
    if (current) copy(find("thought-prompt").textContent + current.sample.text, "the text");
  });
  prepareColours(find("thought-colour"), find("thought-legend"), find("thought-tokens"));
  // A text that is still written by the chorus is drawn as it grows.
  setInterval(() => {
    if (current && !find("view-thought").hidden && (current.sample.isOpen || drawn < current.sample.tokens.length)) draw();
  }, 200);
}

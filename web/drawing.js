// When what streams is drawn: a few tiles a frame, in turns, those in view before others, and after each frame
// a rest of several times what it took. So no frame is long, however many texts are written at once, and what
// drawing takes is a bounded share of a processor, which the server may need for the very text.
import { turn } from "./dom.js";

/** What is drawn here. `isStale`: it shows less than there is. `isOpen`: there will be more; out of view such
 * a one is left as it is. `draw` may draw a part of it.
 * @typedef {{element: any, isStale: () => boolean, isOpen: () => boolean, draw: () => void}} Drawn */

const SCRIPT = 5; // milliseconds of a frame in which another one is begun
const FRAME = 12; // milliseconds that a frame should take, with the browser's layout and painting
const REST = 15; // times what the frame took, while there will be more: a sixteenth of the time is drawn
const LONGEST_REST = 250; // milliseconds

/** @type {() => Drawn[]} */
let all = () => [];
let afterFrame = () => {};
/** @type {WeakSet<Element>} */
const inView = new WeakSet();
/** @type {WeakMap<Drawn, number>} */
const drawnAt = new WeakMap();
let isDue = false, restUntil = 0, most = 4;
/** @type {(() => void)[]} */
let waiting = [];

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) isIntersecting ? inView.add(target) : inView.delete(target);
  drawSoon();
}, { rootMargin: "100px" });

/** @param {Drawn} one */
const isWanted = (one) => (inView.has(one.element) || !one.isOpen()) && one.isStale();

function frame() {
  const begun = performance.now();
  const wanted = all().filter(isWanted);
  const seen = wanted.filter((one) => inView.has(one.element));
  const chosen = seen.length ? seen : wanted;
  chosen.sort((a, b) => (drawnAt.get(a) ?? 0) - (drawnAt.get(b) ?? 0));
  for (const one of chosen.slice(0, most)) {
    one.draw();
    drawnAt.set(one, begun);
    if (performance.now() - begun > SCRIPT) break;
  }
  afterFrame();
  turn().then(() => { // the browser has drawn
    const now = performance.now(), took = now - begun;
    most = took > FRAME ? Math.max(1, Math.floor((most * FRAME) / took)) : Math.min(most + 1, 64);
    restUntil = all().some((one) => one.isOpen()) ? now + Math.min(REST * took, LONGEST_REST) : 0;
    isDue = false;
    drawSoon();
  });
}

/** To be called whenever something has changed. */
export function drawSoon() {
  if (isDue) return;
  if (!all().some(isWanted)) {
    for (const done of waiting.splice(0)) done();
    return;
  }
  isDue = true;
  setTimeout(() => requestAnimationFrame(frame), restUntil - performance.now());
}

/** Resolves when all that has ended is drawn; at once where nobody looks.
 * @returns {Promise<void>} */
export function allDrawn() {
  if (document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    waiting.push(resolve);
    drawSoon();
  });
}

/** @param {Drawn} one */
export const watchView = (one) => observer.observe(one.element);

/** @param {() => Drawn[]} drawn what there is now @param {() => void} after is called in each frame */
export function prepareDrawing(drawn, after) {
  all = drawn;
  afterFrame = after;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) for (const done of waiting.splice(0)) done();
  });
}

// How many tokens per second the machine allows, as the server has measured it: what a rate is worth.
import { askJson } from "./api.js";

const BUSY = 5000; // milliseconds until a busy server is asked again: it measures in an idle moment
const OLD = 60000; // until a limit is asked for again: others may have had the machine when it was measured

/** @typedef {{model: string, dtype: string, threads: number, bytes_per_step: number, operations_per_token: number,
 *   bytes_per_second: number|null, operations_per_second: number|null, tokens_per_second_each: number|null,
 *   tokens_per_second: number|null}} Limits */

/** @type {Map<string, Limits>} */
const known = new Map();
/** @type {Map<string, number>} when each was learnt */
const learntAt = new Map();
/** @type {Map<string, Set<() => void>>} who waits for a model's */
const waiting = new Map();

/** @param {string} model */
async function askFor(model) {
  try {
    const limits = await askJson(`v1/limits?model=${encodeURIComponent(model)}`, undefined, { quiet: true });
    if (limits.tokens_per_second !== null) known.set(model, limits);
  } catch {} // nothing is known then, and that is shown
  if (!known.has(model)) return void setTimeout(askFor, BUSY, model);
  learntAt.set(model, performance.now());
  const learned = waiting.get(model) ?? [];
  waiting.delete(model);
  for (const one of learned) one();
}

/** Asks for the limits of a model, again and again until they are known, and again when they are old.
 * @param {string} model @param {() => void} learned is called when there are new ones */
export function learnLimits(model, learned) {
  if (performance.now() - (learntAt.get(model) ?? -Infinity) < OLD) return;
  const others = waiting.get(model);
  if (others) return void others.add(learned);
  waiting.set(model, new Set([learned]));
  askFor(model);
}

/** @param {number} value */
export const rounded = (value) => value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 });

/** What the machine allows so many texts at once together; null where that is not known.
 * @param {string} model @param {number} texts
 * @returns {{rate: number, by: "memory"|"arithmetic", words: string}|null} */
export function limitOf(model, texts) {
  const limits = known.get(model);
  if (!limits || limits.tokens_per_second_each === null || limits.tokens_per_second === null) return null;
  const byMemory = limits.tokens_per_second_each * texts, byArithmetic = limits.tokens_per_second;
  if (byMemory <= byArithmetic) {
    return { rate: byMemory, by: "memory", words: `A step reads all ${(limits.bytes_per_step / 1e6).toFixed(0)} MB of weights and gives each text a token. ` +
      `This machine reads them ${rounded(limits.tokens_per_second_each)} times a second (${(Number(limits.bytes_per_second) / 1e9).toFixed(1)} GB/s), ` +
      `so ${texts === 1 ? "one text" : `${texts} texts together`} can have ${rounded(byMemory)} tokens/s at most.` };
  }
  return { rate: byArithmetic, by: "arithmetic", words: `A token takes ${(limits.operations_per_token / 1e6).toFixed(0)} million operations, of which ` +
    `this machine does ${rounded(Number(limits.operations_per_second) / 1e9)} billion a second, so all texts together can have ${rounded(byArithmetic)} tokens/s at most.` };
}

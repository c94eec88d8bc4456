// A link to a text: prompt, parameters, seed and the model's digest in the fragment, which no server
// sees, and a hash of what was written.
import { sha256 } from "./sha256.js";

/** @param {string[]} texts */
export const hashOf = (texts) => sha256(texts.map((text) => `${text.length}:${text}`).join("")).slice(0, 32);

/** @param {Record<string, string>} fields @param {string} digest @param {string} hash */
export function linkOf(fields, digest, hash) {
  const parts = new URLSearchParams(fields);
  if (digest) parts.set("digest", digest);
  if (hash) parts.set("hash", hash);
  return `${location.href.split("#")[0]}#chorus?${parts}`;
}

/** The view that a fragment names, and the fields behind it, if there are any.
 * @param {string} fragment */
export function parseLink(fragment) {
  const [view, query] = fragment.replace(/^#/, "").split(/\?(.*)/s);
  return { view, fields: query ? Object.fromEntries(new URLSearchParams(query)) : null };
}

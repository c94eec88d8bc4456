// The server, by fetch: relative to the page, so that a path prefix in front of it changes nothing.
import { find, say, turn } from "./dom.js";

const KEY = "chorus.key"; // in sessionStorage: the key is gone with the tab
let heldKey = ""; // where the browser denies the page its storage: gone with the page

/** The key that the server was told last; empty if none. */
export function keyOf() {
  try {
    return sessionStorage.getItem(KEY) ?? heldKey;
  } catch {
    return heldKey;
  }
}

/** @param {string} key */
function keepKey(key) {
  heldKey = key;
  try {
    sessionStorage.setItem(KEY, key);
  } catch {} // it is held
}

/** An error as the server states it. */
export class ServerError extends Error {
  /** @param {number} status @param {string} message @param {string} param */
  constructor(status, message, param) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

/** @param {Response} response */
async function errorOf(response) {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text);
    return new ServerError(response.status, error.message, error.param ?? "");
  } catch {
    const short = text.trim().slice(0, 200) || response.statusText;
    return new ServerError(response.status, `the server answered ${response.status}: ${short}`, "");
  }
}

/** @type {Promise<boolean>|null} what all that wait for a key wait for */
let asked = null;

/** Asks for the key in place of `refused`, once for all who need it. Resolves to whether there is another.
 * @param {string} refused
 * @returns {Promise<boolean>} */
function askForKey(refused) {
  if (keyOf() !== refused) return Promise.resolve(true); // another has asked meanwhile
  asked ??= new Promise((resolve) => {
    const dialog = find("key-dialog");
    find("key-why").textContent = refused ? "It does not know the key that it was given, or no longer." : "";
    find("key").value = "";
    dialog.returnValue = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      const key = find("key").value.trim();
      find("key").value = "";
      asked = null;
      if (dialog.returnValue === "use" && key) keepKey(key);
      resolve(dialog.returnValue === "use" && key !== "");
    }, { once: true });
  });
  return asked;
}

/** Waits, saying so, until `seconds` have passed.
 * @param {string} why @param {number} seconds @param {AbortSignal|undefined} signal */
async function wait(why, seconds, signal) {
  for (let left = Math.ceil(seconds); left > 0; --left) {
    say(`${why}; trying again in ${left} s.`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    signal?.throwIfAborted();
  }
}

/** @typedef {{signal?: AbortSignal, patient?: boolean, quiet?: boolean}} Options */

/** An answer with a status below 300. With `patient`, a full (429) or loading (503) server is waited
 * for; with `quiet`, no key is asked for.
 * @param {string} path @param {any} [body] @param {Options} [options]
 * @returns {Promise<Response>} */
export async function ask(path, body, options = {}) {
  for (let tries = 1; ; ++tries) {
    /** @type {Record<string, string>} */
    const headers = {};
    const key = keyOf();
    if (key) headers.Authorization = `Bearer ${key}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const response = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: options.signal,
      cache: "no-store",
    });
    if (response.ok) return response;
    if (response.status === 401 && !options.quiet) {
      if (await askForKey(key)) continue;
    }
    const wanted = Number(response.headers.get("Retry-After") ?? 0);
    if (options.patient && (response.status === 429 || response.status === 503) && tries <= 100) {
      const error = await errorOf(response);
      await wait(`${error.message} (${error.status}, attempt ${tries})`, Math.max(1, wanted), options.signal);
      continue;
    }
    throw await errorOf(response);
  }
}

/** @param {string} path @param {any} [body] @param {Options} [options] */
export async function askJson(path, body, options) {
  return (await ask(path, body, options)).json();
}

const TURN = 8; // milliseconds of reading, before others have theirs

/** The rest of a stream's text, as whole events: without looking twice at what an unfinished one begins with.
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @returns {AsyncGenerator<string[]>} */
async function* blocksOf(reader) {
  const decoder = new TextDecoder();
  /** @type {string[]} */
  let held = []; // what no end has been seen of
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    let text = decoder.decode(value, { stream: true });
    const last = held.at(-1) ?? "";
    if (last.endsWith("\n")) { // perhaps half an end
      held[held.length - 1] = last.slice(0, -1);
      text = "\n" + text;
    }
    const end = text.lastIndexOf("\n\n");
    if (end < 0) {
      held.push(text);
      continue;
    }
    held.push(text.slice(0, end));
    yield held.join("").split("\n\n");
    held = [text.slice(end + 2)];
  }
}

/** The JSON of each server-sent event, some at a time. Ends at [DONE]; a stream that breaks off before is an error.
 * @param {Response} response
 * @returns {AsyncGenerator<any[]>} */
export async function* eventsOf(response) {
  if (!response.body) throw new Error("the browser gives no stream");
  for await (const blocks of blocksOf(response.body.getReader())) {
    /** @type {any[]} */
    let parsed = [];
    let begun = performance.now();
    for (const block of blocks) {
      if (!block.startsWith("data: ")) continue; // a comment
      const data = block.slice(6);
      if (data === "[DONE]") {
        yield parsed;
        return;
      }
      const json = JSON.parse(data);
      if (json.error) {
        yield parsed;
        throw new ServerError(json.error.code ?? 500, json.error.message, json.error.param ?? "");
      }
      parsed.push(json);
      if (performance.now() - begun < TURN) continue;
      yield parsed;
      parsed = [];
      await turn();
      begun = performance.now();
    }
    yield parsed;
  }
  throw new Error("the connection ended before the text did");
}

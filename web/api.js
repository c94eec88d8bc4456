// The server, by fetch: relative to the page, so that a path prefix in front of it changes nothing.
import { find, say } from "./dom.js";

const KEY = "chorus.key"; // in sessionStorage: the key is gone with the tab

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

/** Asks for the key. Resolves to whether one was given.
 * @returns {Promise<boolean>} */
function askForKey() {
  const dialog = find("key-dialog");
  if (dialog.open) return Promise.resolve(false);
  find("key").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const key = find("key").value.trim();
      find("key").value = "";
      if (dialog.returnValue !== "use" || !key) return resolve(false);
      sessionStorage.setItem(KEY, key);
      resolve(true);
    }, { once: true });
  });
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
    const key = sessionStorage.getItem(KEY);
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
      if (await askForKey()) continue;
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

/** The JSON of each server-sent event. Ends at [DONE]; a stream that breaks off before is an error.
 * @param {Response} response */
export async function* eventsOf(response) {
  if (!response.body) throw new Error("the browser gives no stream");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the connection ended before the text did");
    held += value;
    const events = held.split("\n\n");
    held = events.pop() ?? "";
    /** @type {any[]} */
    const parsed = [];
    for (const event of events) {
      if (!event.startsWith("data: ")) continue; // a comment
      const data = event.slice(6);
      if (data === "[DONE]") {
        yield parsed;
        return;
      }
      const json = JSON.parse(data);
      if (json.error) throw new ServerError(json.error.code ?? 500, json.error.message, json.error.param ?? "");
      parsed.push(json);
    }
    yield parsed;
  }
}

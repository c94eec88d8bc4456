// Texts while they are written: what the page keeps of each choice of a request.
import { ask, eventsOf } from "./api.js";
import { messageOf, say } from "./dom.js";

/** How many of the likeliest tokens come beside each. */
export const LIKELIEST = 10;

/** @typedef {{id: number, token: string, logprob: number}} Alternative */
/** @typedef {{id: number, name: string, piece: string, bytes: number[], logprob: number|null, rank: number|null,
 *   entropy: number|null, top: Alternative[], taken?: boolean}} Token */

export class Sample {
  /** @param {number} seed */
  constructor(seed) {
    this.seed = seed;
    this.text = "";
    /** @type {number[]} */
    this.promptIds = [];
    /** @type {Token[]} */
    this.tokens = [];
    /** @type {"waiting"|"writing"|"done"|"stopped"|"failed"} */
    this.state = "waiting";
    this.finish = "";
    this.begun = 0;
    this.ended = 0;
    this.generated = 0;
    this.cancelId = ""; // by which the server ends it alone, as the choice of that index
    this.index = 0;
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  }

  get isOpen() {
    return this.state === "waiting" || this.state === "writing";
  }

  /** @param {any} choice of a stream's event */
  take(choice) {
    const now = performance.now();
    if (this.state === "waiting") {
      this.state = "writing";
      this.begun = now;
    }
    if (choice.prompt_token_ids) this.promptIds = choice.prompt_token_ids;
    this.text += choice.text;
    const told = choice.logprobs;
    for (let i = 0; told && i < told.tokens.length; ++i) {
      this.add({
        id: told.token_ids[i],
        name: told.tokens[i],
        bytes: told.bytes[i],
        piece: "",
        logprob: told.token_logprobs[i],
        rank: told.ranks[i],
        entropy: told.entropies[i],
        top: told.top_tokens[i] ?? [],
      });
      ++this.generated;
    }
    this.ended = now;
    if (choice.finish_reason) {
      this.finish = choice.finish_reason;
      this.state = "done";
    }
  }

  /** A token's piece is the text that becomes whole with it: none for the first part of a character.
   * @param {Token} token */
  add(token) {
    token.piece = this.decoder.decode(Uint8Array.from(token.bytes), { stream: true });
    this.tokens.push(token);
  }

  /** Tokens per second, between the first and the last. */
  get rate() {
    const seconds = (this.ended - this.begun) / 1000;
    return this.generated > 1 && seconds > 0 ? (this.generated - 1) / seconds : 0;
  }

  /** @param {"stopped"|"failed"} state */
  end(state) {
    if (this.isOpen) this.state = state;
  }
}

/** Ends one text of several at the server, too: its place is free within a step.
 * @param {Sample} sample */
export function cancel(sample) {
  if (!sample.cancelId) return;
  ask("v1/completions/cancel", { id: sample.cancelId, index: sample.index }, { quiet: true }).catch((error) => {
    if (error.status === 404) return; // it has ended meanwhile
    say(`The server goes on with seed ${sample.seed}, unseen: ${messageOf(error)}`);
  });
}

/** Asks once for all samples, choice i being the i-th, and gives what comes to them. `changed` is called
 * after each piece of the stream. Whatever was written stays when this fails.
 * @param {any} request @param {Sample[]} samples @param {AbortController} stopper
 * @param {() => void} changed @param {(response: Response) => void} [answered] */
export async function write(request, samples, stopper, changed, answered) {
  const body = { ...request, stream: true, logprobs: LIKELIEST, return_token_ids: true, rank_and_entropy: true };
  try {
    const response = await ask("v1/completions", body, { signal: stopper.signal, patient: true });
    answered?.(response);
    samples.forEach((sample, index) => {
      Object.assign(sample, { cancelId: response.headers.get("X-Cancel-Id") ?? "", index });
      if (!sample.isOpen) cancel(sample); // stopped while the answer was waited for
    });
    for await (const events of eventsOf(response)) {
      for (const event of events) {
        for (const choice of event.choices) {
          const sample = samples[choice.index];
          if (sample.isOpen) sample.take(choice);
        }
      }
      changed();
      if (samples.every((sample) => !sample.isOpen)) stopper.abort(); // nobody reads: its places are free
    }
  } catch (error) {
    for (const sample of samples) sample.end(stopper.signal.aborted ? "stopped" : "failed");
    changed();
    if (!stopper.signal.aborted) throw error;
  }
}

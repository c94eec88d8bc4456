// llama.cpp's rates, measured as `chorus bench` measures: through the npm package node-llama-cpp, whose
// binaries are built for many processors. Prints {"pp": tokens/s, "tg": tokens/s, "release"}.
//
// usage: node llama_cpp_peer.mjs MODEL.gguf THREADS STREAMS PROMPT_TOKENS NEW_TOKENS
// NODE_LLAMA_CPP names the folder that `npm install node-llama-cpp` was run in.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const GENERATION_PROMPT = 4; // as `chorus bench` has it
const TOP_K = 50;

const [model, ...numbers] = process.argv.slice(2);
const [threads, streams, promptTokens, newTokens] = numbers.map(Number);
const folder = process.env.NODE_LLAMA_CPP ?? process.cwd();
const find = createRequire(pathToFileURL(path.join(folder, "package.json")));
const { getLlama } = await import(pathToFileURL(find.resolve("node-llama-cpp")));

const llama = await getLlama({ gpu: false, build: "never", logLevel: "error" });
const loaded = await llama.loadModel({ modelPath: model });
const context = await loaded.createContext({
  contextSize: Math.max(promptTokens, GENERATION_PROMPT + newTokens) + 8,
  sequences: streams,
  threads: { ideal: threads, min: threads },
});
const sequences = Array.from({ length: streams }, () => context.getSequence());

// Texts that have nothing in common, as far as speed goes.
let seed = 1;
const prompt = (length) => Array.from({ length }, () => (seed = (seed * 48271) % 2147483647) % 50000);
const seconds = () => performance.now() / 1000;

async function promptRate() {
  const prompts = sequences.map(() => prompt(promptTokens));
  const start = seconds();
  await Promise.all(sequences.map((s, i) => s.evaluateWithoutGeneratingNewTokens(prompts[i])));
  return (streams * promptTokens) / (seconds() - start);
}

// From when every stream has its first token, as there.
async function generationRate() {
  let started = 0, since = 0, allStarted = 0;
  const generate = async (sequence, index) => {
    let count = 0;
    const options = { topK: TOP_K, topP: 1, temperature: 1, seed: index, yieldEogToken: true };
    for await (const _ of sequence.evaluate(prompt(GENERATION_PROMPT), options)) {
      if (allStarted > 0) since += 1;
      if (++count === 1 && ++started === streams) allStarted = seconds();
      if (count === newTokens) break;
    }
  };
  await Promise.all(sequences.map(generate));
  return since / (seconds() - allStarted);
}

async function cleared(measure) {
  for (const sequence of sequences) await sequence.clearHistory();
  return measure();
}

await cleared(promptRate); // warms up
const pp = await cleared(promptRate);
const tg = await cleared(generationRate);
console.log(JSON.stringify({ pp, tg, release: llama.llamaCppRelease.release }));
process.exit(0);

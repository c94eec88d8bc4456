// Vercel's unmodified `ai` against a server: node ai_client.mjs http://127.0.0.1:PORT
import assert from "node:assert/strict";
import { generateText, streamText } from "ai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";

const provider = createOpenAICompatible({
  name: "chorus", baseURL: process.argv[2] + "/v1", apiKey: "none",
});
const settings = { maxTokens: 20, seed: 42, maxRetries: 0 };

const completion = { ...settings, model: provider.completionModel("storyteller") };
const raw = await fetch(process.argv[2] + "/v1/chat/completions", {
  method: "POST",
  body: JSON.stringify({
    messages: [{ role: "user", content: "Once upon a time" }], max_tokens: 20, seed: 42,
    temperature: 0,
  }),
});
const expected = (await raw.json()).choices[0].message.content;

const chat = {
  ...settings, model: provider.chatModel("storyteller"), prompt: "Once upon a time", temperature: 0,
};
const whole = await generateText(chat);
assert.equal(whole.text, expected);
assert.equal(whole.usage.completionTokens, 20);
assert.equal(whole.finishReason, "length");
let streamed = "";
for await (const part of streamText(chat).textStream) streamed += part;
assert.equal(streamed, expected, "the stream says the same");

// Its completions may write roles around the prompt, and stop at them: what counts is that they are
// answered.
assert.ok((await generateText({ ...completion, prompt: "Once upon a time" })).usage.promptTokens >= 4);
await assert.rejects(generateText({ ...chat, maxTokens: 100000 }), (error) => {
  assert.match(error.message, /maximum context length is 1024 tokens/);
  return true;
});
console.log("ai works");

// The unmodified `openai` package against a server: node openai_client.mjs http://127.0.0.1:PORT
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "none", maxRetries: 0 });
const request = { model: "storyteller", prompt: "Once upon a time", max_tokens: 20, seed: 42 };

const models = await client.models.list();
assert.equal(models.data[0].id, "storyteller");

const whole = await client.completions.create(request);
assert.equal(whole.object, "text_completion");
assert.equal(whole.usage.prompt_tokens, 4);
assert.ok(whole.choices[0].text.length > 0);

const stream = await client.completions.create({
  ...request, n: 2, stream: true, stream_options: { include_usage: true },
});
const texts = ["", ""];
let usage = null;
for await (const event of stream) {
  for (const choice of event.choices) texts[choice.index] += choice.text;
  usage = event.usage ?? usage;
}
assert.equal(texts[0], whole.choices[0].text, "the stream says the same");
assert.notEqual(texts[1], "");
assert.ok(usage.completion_tokens > 0);

const scored = await client.completions.create({
  model: "storyteller", prompt: "The cat sat", max_tokens: 0, echo: true, logprobs: 1,
});
assert.equal(scored.choices[0].logprobs.tokens.length, 3);
assert.equal(scored.choices[0].logprobs.token_logprobs[0], null);

await assert.rejects(client.completions.create({ ...request, max_tokens: 100000 }), (error) => {
  assert.equal(error.status, 400);
  assert.equal(error.param, "max_tokens");
  return true;
});
await assert.rejects(client.completions.create({ ...request, model: "gpt-4" }), { status: 404 });

// Chats, and what is not done.
const chat = {
  model: "storyteller", messages: [{ role: "user", content: "Once upon a time" }],
  max_completion_tokens: 20, seed: 42,
};
const said = await client.chat.completions.create(chat);
assert.equal(said.choices[0].message.content, whole.choices[0].text);
let content = "";
for await (const event of await client.chat.completions.create({ ...chat, stream: true })) {
  content += event.choices[0].delta.content ?? "";
}
assert.equal(content, whole.choices[0].text);
await assert.rejects(
  client.chat.completions.create({ ...chat, response_format: { type: "json_object" } }),
  { status: 400, param: "response_format" });
await assert.rejects(client.embeddings.create({ model: "storyteller", input: "a" }), (error) => {
  assert.equal(error.status, 404);
  assert.match(error.message, /embeddings/);
  return true;
});
assert.equal((await client.models.retrieve("storyteller")).id, "storyteller");

// A reader that stops: the server must be free for the next.
const dropped = await client.completions.create({ ...request, max_tokens: 200, stream: true });
for await (const event of dropped) {
  assert.ok(event.id.startsWith("cmpl-"));
  break;
}
assert.equal((await client.completions.create(request)).choices[0].text, whole.choices[0].text);
console.log("openai", (await import("openai/version")).VERSION ?? "", "works");

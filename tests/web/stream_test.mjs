// The page's reading of a stream, without a browser: node stream_test.mjs, beside a copy of web/.
import assert from "node:assert/strict";
import { eventsOf } from "./web/api.js";

/** The events of bytes that come in pieces. */
async function read(pieces) {
  const events = [];
  for await (const some of eventsOf(new Response(new ReadableStream({
    pull(controller) {
      if (pieces.length) controller.enqueue(pieces.shift());
      else controller.close();
    },
  }, { highWaterMark: 0 })))) events.push(...some);
  return events;
}
const bytes = (text) => new TextEncoder().encode(text);
const pieces = (all, size) => Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.subarray(i * size, (i + 1) * size));

const told = [{ text: "Grüße 🦉" }, { text: "a\u2028b\n\n" }, { text: "" }, { text: "x".repeat(300) }];
const stream = bytes(": a comment\n\n" + told.map((one) => `data: ${JSON.stringify(one)}\n\n`).join("") + ": another\n\ndata: [DONE]\n\n");
for (let size = 1; size <= stream.length; ++size) assert.deepEqual(await read(pieces(stream, size)), told, `in pieces of ${size} bytes`);

await assert.rejects(read([bytes('data: {"text":"a"}\n\ndata: {"te')]), /the connection ended before the text did/);
await assert.rejects(read([bytes('data: {"error":{"message":"the request was not done","code":"timeout","param":null}}\n\n')]), /was not done/);
await assert.rejects(read([bytes("data: {]\n\n")]), SyntaxError);

// What came before an error is given out.
const kept = [];
await assert.rejects(async () => {
  const body = bytes('data: {"text":"a"}\n\ndata: {"error":{"message":"too late"}}\n\n');
  for await (const some of eventsOf(new Response(body))) kept.push(...some);
}, /too late/);
assert.deepEqual(kept, [{ text: "a" }]);

// One event in many pieces takes time in proportion: quadratic, 32 MB in pieces of 4 kB would take minutes.
const begun = performance.now();
const long = { text: "y".repeat(32e6) };
assert.deepEqual(await read(pieces(bytes(`data: ${JSON.stringify(long)}\n\ndata: [DONE]\n\n`), 4096)), [long]);
assert.ok(performance.now() - begun < 20000, `${performance.now() - begun} ms`);

// Many events in one piece leave others their turn: as many more as this machine takes a while for.
let turns = 0, isOver = false;
(function count() {
  ++turns;
  if (!isOver) setImmediate(count);
})();
for (let count = 50000; turns <= 3; count *= 4) {
  assert.ok(count < 10e6, `${turns} turns`);
  turns = 0;
  const many = bytes('data: {"logprobs":[1,2,3,4,5,6,7,8]}\n\n'.repeat(count) + "data: [DONE]\n\n");
  assert.equal((await read([many])).length, count);
}
isOver = true;
console.log("streams are read as they were written");

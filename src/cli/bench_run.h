// The two measurements of `chorus bench`, made through Engine::submit as any user would. All
// streams are submitted at once; their prompts and seeds differ, from each other and from round to
// round, so that no cached prefix helps. Each waits for its own end: one call at a time for an
// engine.
#pragma once

#include <cstddef>
#include <cstdint>

#include "chorus/engine.h"

namespace chorus::cli {

// What all streams of a measurement have in common.
struct BenchLoad {
  std::size_t streams;
  std::int32_t prompt_tokens;
  std::int32_t new_tokens;
};

// Prompt tokens per second of all streams, from the first submit() until each has its first token.
// `new_tokens` must be 1. Errors: submit()'s, and a stream's own.
Result<double> prompt_rate(Engine& engine, const BenchLoad& load, std::uint64_t round);

// Generated tokens per second of all streams, sampling included (top-k 50), from the moment when
// each stream has its first token until the last ends. `new_tokens` must be at least 2. Errors: the
// same.
Result<double> generation_rate(Engine& engine, const BenchLoad& load, std::uint64_t round);

}  // namespace chorus::cli

#include "engine/sequence.h"

#include <algorithm>
#include <cassert>

namespace chorus::engine {
namespace {

double seconds_since(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double>(end - start).count();
}

}  // namespace

std::size_t RequestState::positions() const {
  auto max_length = static_cast<std::size_t>(request.max_length);
  if (only_reads() && request.prompt_logits) return prompt_size();
  bool runs = !only_reads() || request.prompt_logprobs;
  return runs ? std::min(max_length - 1, block_size) : 0;
}

Sequence::Sequence(std::shared_ptr<RequestState> shared, std::int32_t sample_index)
    : state(std::move(shared)),
      request(state->request),
      sample(sample_index),
      tokens(state->request.prompt),
      prefix(state->cache_root()) {
  pages.reserve((state->positions() + model::kPagePositions - 1) / model::kPagePositions);
  move_window();
}

void Sequence::move_window() {
  if (tokens.size() - window <= state->block_size) return;
  window = tokens.size() - state->block_size;
  done = 0;
}

// Sample 0 alone reads the prompt for what is asked about it.
std::size_t Sequence::first_logits() const {
  if (window > 0) return tokens.size() - window - 1;
  std::size_t prompt = state->prompt_size();
  if (sample > 0) return prompt - 1;
  if (request.prompt_logits) return 0;
  if (!request.prompt_logprobs) return prompt - 1;
  return std::min(std::max<std::size_t>(request.prompt_logprobs_from, 1), prompt) - 1;
}

std::size_t Sequence::rows() const {
  std::size_t runnable = std::min(tokens.size() - window, state->positions());
  assert(done <= runnable);
  return runnable - done;
}

Usage Sequence::usage() const {
  Clock::time_point now = Clock::now();
  return {.prompt_tokens = static_cast<std::int32_t>(state->prompt_size()),
          .cached_tokens = static_cast<std::int32_t>(cached),
          .generated_tokens = static_cast<std::int32_t>(generated()),
          .queue_seconds = seconds_since(state->submitted, started.value_or(now)),
          .first_token_seconds = first_token ? seconds_since(state->submitted, *first_token) : 0.0,
          .seconds = seconds_since(state->submitted, now)};
}

}  // namespace chorus::engine

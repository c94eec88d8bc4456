// What a request may do to logits and probabilities before top-k: penalties, bias, banned tokens,
// top-p and min-p. A request that asks for none of them is not touched. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chorus/sampling.h"

namespace chorus::sampling {

// The tokens of a sequence so far, of which the first `prompt_length` were given.
struct History {
  std::span<const std::int32_t> tokens;
  std::size_t prompt_length;
};

// Whether adjust_logits would change anything for these parameters (banned tokens aside).
bool adjusts_logits(const SamplingParams& params);

// Applies penalties and bias, in the order of the loop, to `logits`, and makes `banned` ids
// impossible. Ids outside are ignored.
void adjust_logits(const SamplingParams& params, const History& history,
                   std::span<const std::int32_t> banned, std::span<float> logits);

// The talk's loop: sets to 0 the probabilities that min_p and top_p leave out. The likeliest token always stays;
// among equal probabilities lower ids come first.
void filter_probabilities(const SamplingParams& params, std::span<float> probabilities);

}  // namespace chorus::sampling

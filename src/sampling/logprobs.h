// Log-probabilities under the model: of a token, and of the likeliest. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "chorus/request.h"
#include "kernels/kernels.h"

namespace chorus::sampling {

// What is to be told of a token beside its own log-probability.
struct TokenDetails {
  std::int32_t top = 0;           // so many of the likeliest tokens
  bool rank_and_entropy = false;  // TokenInfo's rank and entropy
  // TokenInfo's boundary: log of the sum of softmax(logits) over these. Empty: not wanted.
  std::optional<std::span<const std::int32_t>> boundaries = {};
};

// `id` with log softmax(logits)[id], the sum and the logarithm in double precision, and the `top`
// likeliest of the ids below `usable` (padding of the vocabulary lies above) with theirs. The
// logits are the model's own. `id` < logits.size().
TokenInfo token_info(const kernels::Kernels& kernels, std::span<const float> logits,
                     std::int32_t usable, std::int32_t id, TokenDetails details);

}  // namespace chorus::sampling

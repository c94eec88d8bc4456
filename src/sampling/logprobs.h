// Log-probabilities under the model: of a token, and of the likeliest. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chorus/request.h"
#include "kernels/kernels.h"

namespace chorus::sampling {

// What is to be told of a token beside its own log-probability.
struct TokenDetails {
  std::int32_t top = 0;           // so many of the likeliest tokens
  bool rank_and_entropy = false;  // TokenInfo's rank and entropy
};

// `id` with log softmax(logits)[id], the sum and the logarithm in double precision, and the `top`
// likeliest of the ids below `usable` (padding of the vocabulary lies above) with theirs. The
// logits are the model's own. `id` < logits.size().
TokenInfo token_info(const kernels::Kernels& kernels, std::span<const float> logits,
                     std::int32_t usable, std::int32_t id, TokenDetails details);

// log of the sum of softmax(logits) over `ids`, computed likewise. `gathered` is memory that is used
// again.
double set_logprob(const kernels::Kernels& kernels, std::span<const float> logits,
                   std::span<const std::int32_t> ids, std::vector<float>& gathered);

}  // namespace chorus::sampling

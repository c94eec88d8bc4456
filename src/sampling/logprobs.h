// Log-probabilities under the model: of a token, and of the likeliest. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chorus/request.h"
#include "kernels/kernels.h"

namespace chorus::sampling {

// `id` with log softmax(logits)[id], the sum and the logarithm in double precision, and the `top`
// likeliest of the ids below `usable` (padding of the vocabulary lies above) with theirs. The
// logits are the model's own. `id` < logits.size().
TokenInfo token_info(const kernels::Kernels& kernels, std::span<const float> logits,
                     std::int32_t usable, std::int32_t id, std::int32_t top);

}  // namespace chorus::sampling

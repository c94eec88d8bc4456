// The softmax over a vocabulary in the shape that PyTorch 1.13.1 gives it on a CPU (its AVX2
// build): the largest logit, one pass of exponentials, their sum in eight lanes, and a
// multiplication by the reciprocal of the sum. Pure functions.
#pragma once

#include <span>

#include "chorus/error.h"
#include "kernels/kernels.h"

namespace chorus::sampling {

// The largest logit. A logit of -inf stands for an impossible token and is allowed.
// Errors: kInvalidArgument for no logits, for a NaN or +inf (its id is named) and for nothing but
// -inf.
Result<float> largest_logit(std::span<const float> logits);

// scaled[i] = logits[i] / temperature; both spans have one size. Errors: those of largest_logit, and
// kInvalidArgument where the division overflows.
Result<void> scale(std::span<const float> logits, float temperature, std::span<float> scaled);

// probabilities[i] = softmax(logits / temperature)[i]; both spans have one size. Not in place.
// Errors: those of largest_logit, and kInvalidArgument where the division overflows.
Result<void> softmax(const kernels::Kernels& kernels, std::span<const float> logits,
                     float temperature, std::span<float> probabilities);

}  // namespace chorus::sampling

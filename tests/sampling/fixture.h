// What the tests of logits and probabilities share: values that are no numbers, and random logits.
#pragma once

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "kernels/kernels.h"

namespace chorus::sampling {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

inline const kernels::Kernels& scalar() { return kernels::kernels_for(kernels::Isa::kScalar); }

inline std::vector<float> random_logits(std::size_t count, std::uint32_t seed, float mean = 0.0f,
                                        float deviation = 2.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(mean, deviation);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

}  // namespace chorus::sampling

#include "sampling/softmax.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>

namespace chorus::sampling {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Error not_a_distribution(std::span<const float> logits) {
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || logits[i] == kInfinity) {
      return {ErrorCode::kInvalidArgument,
              fmt::format("logits: no distribution to sample from, the logit of id {} is {}", i,
                          logits[i])};
    }
  }
  return {ErrorCode::kInvalidArgument,
          fmt::format("logits: no distribution to sample from, all {} are -inf", logits.size())};
}

// Of logits that were finite before the division.
Result<void> overflow(std::span<const float> logits, float temperature) {
  CHORUS_TRY(float maximum, largest_logit(logits));
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("temperature: the largest logit, {}, divided by {} is not finite",
                           maximum, temperature)};
}

}  // namespace

Result<void> scale(std::span<const float> logits, float temperature, std::span<float> scaled) {
  constexpr std::uint32_t kSign = 0x80000000u, kInfinityBits = 0x7f800000u;
  std::uint32_t is_wrong = 0, is_possible = 0;  // a NaN or +inf; more than -inf
  for (std::size_t i = 0; i < logits.size(); ++i) {
    scaled[i] = logits[i] / temperature;
    auto bits = std::bit_cast<std::uint32_t>(scaled[i]);
    std::uint32_t is_finite = (bits & ~kSign) < kInfinityBits ? 1u : 0u;
    is_possible |= is_finite;
    is_wrong |= (is_finite ^ 1u) & (bits != (kSign | kInfinityBits) ? 1u : 0u);
  }
  if (is_wrong != 0 || is_possible == 0) return overflow(logits, temperature);
  return ok();
}

Result<float> largest_logit(std::span<const float> logits) {
  float maximum = -kInfinity;
  bool valid = true;
  for (float logit : logits) {
    maximum = logit > maximum ? logit : maximum;
    valid &= logit < kInfinity;  // false for a NaN too
  }
  if (!valid || maximum == -kInfinity) return not_a_distribution(logits);
  return maximum;
}

Result<void> softmax(const kernels::Kernels& kernels, std::span<const float> logits,
                     float temperature, std::span<float> probabilities) {
  if (logits.empty()) return not_a_distribution(logits);
  const float* scaled = logits.data();
  if (temperature != 1.0f) {
    for (std::size_t i = 0; i < logits.size(); ++i) probabilities[i] = logits[i] / temperature;
    scaled = probabilities.data();
  }
  kernels.sampling.softmax(scaled, logits.size(), probabilities.data());
  // A NaN, a +inf and nothing but -inf each make the sum, and so every probability, a NaN.
  if (std::isnan(probabilities[0])) return overflow(logits, temperature);
  return ok();
}

}  // namespace chorus::sampling

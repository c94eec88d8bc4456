// bf16's own arithmetic by weights and activations that are widened, and IEEE 754's fused
// multiply-add: what bf16_matmul.h can be given over any `Vector`.
#pragma once

#include "kernels/vector/lanes.h"

namespace chorus::kernels {
namespace {

struct WidenedPairs {
  static constexpr std::size_t kInputs = 2;
  static constexpr std::size_t kGroupBytes = kGroup * sizeof(float);
  using Weights = Vector;
  static constexpr bool kMakesPairs = false;

  static Vector even(const std::uint16_t* weights) { return Vector::widen_even(weights); }
  static Vector odd(const std::uint16_t* weights) { return Vector::widen_odd(weights); }
  static Vector activation(const std::byte* x, std::size_t chain) {
    return Vector::broadcast(reinterpret_cast<const float*>(x)[chain]);
  }
  static Vector add(Vector sum, Vector x, Vector weights) { return fma(x, weights, sum); }
};

void round_bf16(const float* x, std::size_t k, std::byte* out) {
  auto* to = reinterpret_cast<float*>(out);
  for (std::size_t i = 0; i < group_count(k) * kGroup; i += kLanes) {
    std::size_t lanes = i >= k ? 0 : k - i < kLanes ? k - i : kLanes;
    round_to_bf16(load_lanes(x + i, lanes)).store(to + i);
  }
}

}  // namespace
}  // namespace chorus::kernels

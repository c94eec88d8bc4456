// Rows of activations into groups of integers, over vectors; quantise in scalar.cpp is the
// definition.
#pragma once

#include "kernels/vector/lanes.h"

namespace chorus::kernels {
namespace {

// The first `count` values of a group, the rest 0.
inline void quantise_group(const float* x, std::size_t count, std::int32_t offset,
                           ActivationGroup& out) {
  Vector magnitudes = Vector::zero();
  for (std::size_t i = 0; i < count; i += kLanes) {
    std::size_t lanes = count - i < kLanes ? count - i : kLanes;
    magnitudes = larger_magnitude(magnitudes, load_lanes(x + i, lanes));
  }
  std::uint32_t bits = largest_bits(magnitudes);
  float largest;
  __builtin_memcpy(&largest, &bits, sizeof(largest));
  bool finite = largest < __builtin_inff();
  if (!finite || largest < kQuantiseZero) {
    __builtin_memset(out.values, 0, sizeof(out.values));
    out.scale = finite ? 0.0f : __builtin_nanf("");
    out.start = 0;
    return;
  }
  out.scale = largest / 127.0f;
  Vector factor = Vector::broadcast(127.0f / largest);
  IntegerSum total = IntegerSum::zero();
  for (std::size_t i = 0; i < kGroup; i += kLanes) {
    std::size_t lanes = i >= count ? 0 : count - i < kLanes ? count - i : kLanes;
    store_rounded(load_lanes(x + i, lanes) * factor, out.values + i, total);
  }
  out.start = -offset * total.total();
}

void quantise(const float* x, std::size_t k, std::int32_t offset, ActivationGroup* out) {
  for (std::size_t begin = 0; begin < k; begin += kGroup) {
    quantise_group(x + begin, k - begin < kGroup ? k - begin : kGroup, offset, out[begin / kGroup]);
  }
}

}  // namespace
}  // namespace chorus::kernels

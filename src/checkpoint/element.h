// Elements of a tensor, whatever their type and alignment: one as an f32, which is exact, and whether
// all are numbers. Pure functions.
#pragma once

#include <cstdint>
#include <cstring>

#include "checkpoint/checkpoint.h"
#include "core/half.h"

namespace chorus::checkpoint {

inline float load_element(NumberFormat dtype, const std::byte* place) {
  if (dtype == NumberFormat::kF32) {
    float value;
    std::memcpy(&value, place, sizeof value);
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, place, sizeof bits);
  return dtype == NumberFormat::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

// Whether none of `count` elements, in a row and of any alignment, is a NaN or an infinity.
bool all_finite(NumberFormat dtype, const std::byte* data, std::size_t count);

}  // namespace chorus::checkpoint

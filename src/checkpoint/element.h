// One element of a tensor as an f32, whatever its type and alignment. Exact. Pure functions.
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

}  // namespace chorus::checkpoint

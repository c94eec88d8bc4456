// Exact widening of the two 16-bit floating-point formats to f32, and rounding to them (nearest,
// ties to even). Pure functions.
#pragma once

#include <bit>
#include <cstdint>

namespace chorus {

inline float bf16_to_f32(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

inline std::uint16_t f32_to_bf16(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {  // NaN stays NaN: keep it quiet
    return static_cast<std::uint16_t>((bits >> 16) | 0x0040u);
  }
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// f32_to_bf16(bf16_to_f32(bits)): what is no NaN stays as it is.
inline std::uint16_t quiet_bf16(std::uint16_t bits) {
  return static_cast<std::uint16_t>((bits & 0x7fffu) > 0x7f80u ? bits | 0x0040u : bits);
}

// Without comparisons, of which the compiler would make branches: so it makes vector code of a loop.
inline float f16_to_f32(std::uint16_t bits) {
  constexpr std::uint32_t kOne = std::uint32_t{1} << 23;  // of an exponent
  constexpr std::uint32_t kBias = (127 - 15) * kOne;      // between the two exponents
  std::uint32_t magnitude = (bits & 0x7fffu) << 13, exponent = magnitude & 31 * kOne;
  std::uint32_t is_small =
      0u - ((exponent - kOne) >> 31);  // all ones of zero and subnormal numbers
  std::uint32_t is_special = 0u - ((exponent + kOne) >> 28);  // all ones of infinity and NaN
  // Small numbers have no leading one: they get it, and 2^-14, which it is, is subtracted.
  float widened = std::bit_cast<float>(magnitude + kBias + (is_small & kOne)) -
                  std::bit_cast<float>(is_small & (kBias + kOne));
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(widened) + (is_special & kBias)) |
                              (bits & 0x8000u) << 16);
}

std::uint16_t f32_to_f16(float value);

}  // namespace chorus

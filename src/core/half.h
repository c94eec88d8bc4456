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

// Without branches, so that the compiler makes vector code of a loop of them.
inline float f16_to_f32(std::uint16_t bits) {
  constexpr std::uint32_t kBias = std::uint32_t{127 - 15} << 23;  // between the two exponents
  std::uint32_t magnitude = (bits & 0x7fffu) << 13, exponent = magnitude & 0x0f800000u;
  // The number with a leading one, which zero and subnormal numbers do not have, less that one: exact.
  float subnormal = std::bit_cast<float>(magnitude + kBias + 0x00800000u) - 0x1p-14f;
  std::uint32_t widened = magnitude + (exponent == 0x0f800000u ? 2 * kBias : kBias);
  widened = exponent == 0 ? std::bit_cast<std::uint32_t>(subnormal) : widened;
  return std::bit_cast<float>(widened | (bits & 0x8000u) << 16);
}

std::uint16_t f32_to_f16(float value);

}  // namespace chorus

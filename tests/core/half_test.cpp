#include "core/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace chorus::checkpoint {
namespace {

bool is_nan16(std::uint32_t bits, std::uint32_t exponent_mask) {
  return (bits & 0x7fffu) > exponent_mask;
}

TEST(Half, EveryValueOfBothFormatsSurvivesTheRoundTrip) {
  for (std::uint32_t i = 0; i < 65536; ++i) {
    auto bits = static_cast<std::uint16_t>(i);
    if (is_nan16(i, 0x7c00u)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(bits)));
    } else {
      EXPECT_EQ(f32_to_f16(f16_to_f32(bits)), bits);
    }
    if (is_nan16(i, 0x7f80u)) {
      EXPECT_TRUE(std::isnan(bf16_to_f32(bits)));
    } else {
      EXPECT_EQ(f32_to_bf16(bf16_to_f32(bits)), bits);
    }
  }
}

TEST(Half, F16WidensToTheNumberThatItsBitsSay) {
  for (std::uint32_t i = 0; i < 65536; ++i) {
    std::uint32_t sign = (i & 0x8000u) << 16, exponent = i >> 10 & 31u, fraction = i & 0x3ffu;
    float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                    : std::ldexp(1024.0f + static_cast<float>(fraction),
                                                 static_cast<int>(exponent) - 25);
    std::uint32_t expected = sign | (exponent == 31 ? 0x7f800000u | fraction << 13
                                                    : std::bit_cast<std::uint32_t>(magnitude));
    EXPECT_EQ(std::bit_cast<std::uint32_t>(f16_to_f32(static_cast<std::uint16_t>(i))), expected)
        << i;
  }
}

TEST(Half, QuietBf16IsRoundingOfTheWidenedNumber) {
  for (std::uint32_t i = 0; i < 65536; ++i) {
    auto bits = static_cast<std::uint16_t>(i);
    EXPECT_EQ(quiet_bf16(bits), f32_to_bf16(bf16_to_f32(bits))) << i;
  }
}

TEST(Half, RoundsToNearestWithTiesToEven) {
  EXPECT_EQ(f32_to_bf16(1.0f + 0x1p-8f), 0x3f80);             // tie: to even, down
  EXPECT_EQ(f32_to_bf16(1.0f + 0x1p-7f + 0x1p-8f), 0x3f82);   // tie: to even, up
  EXPECT_EQ(f32_to_bf16(1.0f + 0x1p-8f + 0x1p-20f), 0x3f81);  // above the tie
  EXPECT_EQ(f32_to_f16(1.0f + 0x1p-11f), 0x3c00);
  EXPECT_EQ(f32_to_f16(1.0f + 0x1p-10f + 0x1p-11f), 0x3c02);
  EXPECT_EQ(f32_to_f16(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01);
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0x0000);  // half the least subnormal
  EXPECT_EQ(f32_to_f16(0x1.8p-24f), 0x0002);
  EXPECT_EQ(f32_to_f16(65519.996f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
}

}  // namespace
}  // namespace chorus::checkpoint

#include "chorus/number_format.h"

#include <gtest/gtest.h>

namespace chorus {
namespace {

TEST(NumberFormat, NamesAreParsedToTheFormatAgain) {
  for (NumberFormat format : kStoredFormats) {
    EXPECT_EQ(parse_number_format(number_format_name(format)), format);
  }
  for (NumberFormat format : kWeightFormats) {
    EXPECT_EQ(parse_number_format(number_format_name(format)), format);
  }
  for (const char* name : {"", "F32", "f32 ", "float32", "int7", "bf16_f32", "unknown"}) {
    EXPECT_EQ(parse_number_format(name), std::nullopt) << name;
  }
}

TEST(NumberFormat, BlocksHaveTheirBytes) {
  struct Case {
    NumberFormat format;
    std::size_t numbers, bytes;
  };
  for (Case c : {Case{NumberFormat::kF32, 1, 4}, Case{NumberFormat::kF16, 1, 2},
                 Case{NumberFormat::kBf16, 1, 2}, Case{NumberFormat::kBf16F32, 1, 2},
                 Case{NumberFormat::kInt8, 32, 32}, Case{NumberFormat::kInt4, 32, 16}}) {
    EXPECT_EQ(block_numbers(c.format), c.numbers) << number_format_name(c.format);
    EXPECT_EQ(block_bytes(c.format), c.bytes) << number_format_name(c.format);
    EXPECT_EQ(is_quantised(c.format), c.numbers > 1) << number_format_name(c.format);
  }
}

}  // namespace
}  // namespace chorus

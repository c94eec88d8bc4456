// How numbers are held: the weights of a file, those in memory, keys and values; of weights in
// memory it says how they are computed with, too. One enum for all of them; "as they are stored" is
// an empty std::optional. Plain values, pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "chorus/export.h"

namespace chorus {

// kBf16F32 is what an engine makes of weights that are held in bf16 but multiplied as f32: no file
// holds it. With kBf16 the activations are rounded to bf16, too (docs/numerics.md).
enum class NumberFormat { kF32, kF16, kBf16, kBf16F32, kInt8, kInt4 };

// Those of numbers in a file.
inline constexpr std::array kStoredFormats = {NumberFormat::kF32, NumberFormat::kF16,
                                              NumberFormat::kBf16, NumberFormat::kInt8,
                                              NumberFormat::kInt4};

// Those in which an engine holds weight matrices and computes with them.
inline constexpr std::array kWeightFormats = {NumberFormat::kF32, NumberFormat::kBf16,
                                              NumberFormat::kBf16F32, NumberFormat::kInt8,
                                              NumberFormat::kInt4};

// "f32", "f16", "bf16", "bf16-f32", "int8" or "int4": as options, messages and results have it.
CHORUS_EXPORT const char* number_format_name(NumberFormat format);
// The format of such a name, spelled exactly so.
CHORUS_EXPORT std::optional<NumberFormat> parse_number_format(std::string_view name);

// Quantised numbers come in blocks: integers that share one scale, which is a bf16 of its own and
// lies apart from them. Of the other formats a block is one number.
constexpr bool is_quantised(NumberFormat format) {
  return format == NumberFormat::kInt8 || format == NumberFormat::kInt4;
}
constexpr std::size_t block_numbers(NumberFormat format) { return is_quantised(format) ? 32 : 1; }
// Without the scale.
constexpr std::size_t block_bytes(NumberFormat format) {
  switch (format) {
    case NumberFormat::kF32:
      return 4;
    case NumberFormat::kF16:
    case NumberFormat::kBf16:
    case NumberFormat::kBf16F32:
      return 2;
    case NumberFormat::kInt8:
      return 32;
    case NumberFormat::kInt4:
      return 16;
  }
  return 0;
}

}  // namespace chorus

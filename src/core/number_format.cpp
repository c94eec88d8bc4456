#include "chorus/number_format.h"

#include <span>

namespace chorus {

const char* number_format_name(NumberFormat format) {
  switch (format) {
    case NumberFormat::kF32:
      return "f32";
    case NumberFormat::kF16:
      return "f16";
    case NumberFormat::kBf16:
      return "bf16";
    case NumberFormat::kBf16F32:
      return "bf16-f32";
    case NumberFormat::kInt8:
      return "int8";
    case NumberFormat::kInt4:
      return "int4";
  }
  return "unknown";
}

std::optional<NumberFormat> parse_number_format(std::string_view name) {
  for (std::span<const NumberFormat> formats : {std::span<const NumberFormat>(kStoredFormats),
                                                std::span<const NumberFormat>(kWeightFormats)}) {
    for (NumberFormat format : formats) {
      if (name == number_format_name(format)) return format;
    }
  }
  return std::nullopt;
}

}  // namespace chorus

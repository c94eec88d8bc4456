#include "core/error_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace chorus {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace chorus

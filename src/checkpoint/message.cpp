#include "checkpoint/message.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace chorus::checkpoint {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace chorus::checkpoint

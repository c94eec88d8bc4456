#include "core/error_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace chorus {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string listed(const std::vector<std::string>& words, std::size_t most) {
  std::size_t shown = std::min(words.size(), most);
  std::string text = fmt::format(
      "{}", fmt::join(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (words.size() > shown) text += fmt::format(" and {} more", words.size() - shown);
  return text;
}

}  // namespace chorus

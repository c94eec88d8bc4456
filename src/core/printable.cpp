#include "core/printable.h"

#include <fmt/format.h>

namespace chorus {

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 120;
  std::string result;
  for (char c : text.substr(0, kLongest)) {
    if (c >= ' ' && c <= '~') {
      result += c;
    } else {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  if (text.size() > kLongest) result += "...";
  return result;
}

std::string in_quotes(std::string_view text) { return fmt::format("'{}'", printable(text)); }

}  // namespace chorus

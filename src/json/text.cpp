#include "json/text.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cmath>

#include "core/utf8.h"

namespace chorus {

std::string json_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

std::string json_number(const std::optional<double>& value) {
  return value ? json_number(*value) : "null";
}

std::string json_string(std::string_view text) {
  if (is_well_formed(text)) return boost::json::serialize(boost::json::string_view(text));
  return boost::json::serialize(boost::json::string_view(replace_ill_formed(text)));
}

std::string token_name(std::string_view bytes) {
  if (is_well_formed(bytes)) return std::string(bytes);
  std::string name = "bytes:";
  for (char c : bytes) name += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return name;
}

}  // namespace chorus

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

}  // namespace chorus

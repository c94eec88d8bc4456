// Pieces of JSON text for what the commands print: numbers in their shortest form, strings that are
// always well-formed (U+FFFD for bytes that are not UTF-8). Pure functions.
#pragma once

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <span>
#include <string>
#include <string_view>

#include "core/utf8.h"

namespace chorus::cli {

// The shortest decimal that reads back as `value`; null for a NaN or an infinity.
inline std::string json_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

inline std::string json_string(std::string_view text) {
  return boost::json::serialize(boost::json::value(replace_ill_formed(text)));
}

template <class T>
std::string json_array(const std::vector<T>& values) {
  return fmt::format("[{}]", fmt::join(values, ","));
}

}  // namespace chorus::cli

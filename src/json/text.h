// Pieces of JSON text for what is printed and answered: numbers in the shortest form that reads
// back as they are, strings that are always well-formed (U+FFFD for bytes that are not UTF-8). Pure
// functions.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chorus {

std::string json_number(double value);  // null for a NaN or an infinity
std::string json_number(const std::optional<double>& value);
std::string json_string(std::string_view text);

// What was found, for an error's message: the value's JSON text in printable ASCII (a string as
// "caf\u00e9"), cut after 80 bytes with "...". Takes no longer for a long value than for a short one.
std::string json_excerpt(const boost::json::value& value);
std::string json_string_excerpt(std::string_view text);

// How a token is named by its bytes: its text; "bytes:\\xe2\\x80" if it is part of a character, so that no
// two tokens have one name.
std::string token_name(std::string_view bytes);

// Of numbers, or of what is JSON text already.
template <class T>
std::string json_array(const std::vector<T>& values) {
  return fmt::format("[{}]", fmt::join(values, ","));
}

}  // namespace chorus

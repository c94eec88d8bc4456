// Pieces of JSON text for answers: numbers in their shortest form, strings that are always
// well-formed (U+FFFD for bytes that are not UTF-8). Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace chorus::server {

std::string json_number(double value);  // null for a NaN or an infinity
std::string json_number(const std::optional<double>& value);
std::string json_string(std::string_view text);

}  // namespace chorus::server

// What Python's str does with texts, as far as templates use it. Texts are UTF-8. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace chorus::jinja {

enum class Side { kBoth, kLeft, kRight };

// str.strip(), lstrip(), rstrip() without arguments: all that str.isspace() holds.
std::string_view stripped(std::string_view text, Side side);

// str.upper(), lower(), capitalize(), title(), by name; nothing for a text with other letters than
// ASCII's, whose cases are Unicode's tables.
std::optional<std::string> in_case(std::string_view text, std::string_view method);

std::string replaced(std::string_view text, std::string_view what, std::string_view with);

std::size_t count_code_points(std::string_view text);

}  // namespace chorus::jinja

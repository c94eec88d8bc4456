#include "jinja/python_text.h"

#include <algorithm>

namespace chorus::jinja {
namespace {

bool is_tail(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool is_space(std::string_view character) {
  if (character.size() == 1) {
    char c = character[0];
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f');
  }
  if (character.size() == 3 && character.starts_with("\xE2\x80")) {
    auto last = static_cast<unsigned char>(character[2]);
    return last <= 0x8A || last == 0xA8 || last == 0xA9 || last == 0xAF;
  }
  return character == "\u0085" || character == "\u00A0" || character == "\u1680" ||
         character == "\u205F" || character == "\u3000";
}

std::size_t first_length(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && is_tail(text[length])) ++length;
  return length;
}

std::size_t last_length(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && is_tail(text[begin])) --begin;
  return text.size() - begin;
}

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
char upper(char c) { return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c; }
char lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string_view stripped(std::string_view text, Side side) {
  while (side != Side::kRight && !text.empty() && is_space(text.substr(0, first_length(text)))) {
    text.remove_prefix(first_length(text));
  }
  while (side != Side::kLeft && !text.empty() &&
         is_space(text.substr(text.size() - last_length(text)))) {
    text.remove_suffix(last_length(text));
  }
  return text;
}

std::optional<std::string> in_case(std::string_view text, std::string_view method) {
  bool is_ascii = std::all_of(text.begin(), text.end(),
                              [](char c) { return static_cast<signed char>(c) >= 0; });
  if (!is_ascii) return std::nullopt;
  std::string result(text);
  bool begins = true;  // of title: a word; of capitalize: the text
  for (char& c : result) {
    bool is_upper_here = method == "upper" || (begins && method != "lower");
    begins = method == "title" && !is_lower(c) && !is_upper(c);
    c = is_upper_here ? upper(c) : lower(c);
  }
  return result;
}

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string result;
  if (what.empty()) {  // stands around every character
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!is_tail(text[i])) result += with;
      result += text[i];
    }
    return result += with;
  }
  while (true) {
    std::size_t found = text.find(what);
    result += text.substr(0, found);
    if (found == std::string_view::npos) return result;
    result += with;
    text.remove_prefix(found + what.size());
  }
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_tail(c); }));
}

}  // namespace chorus::jinja

#include "cli/option_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>
#include <vector>

#include "core/text_encoding.h"

namespace chorus::cli {
namespace {

// Whether the whole of `text` is one number that fits `number`.
template <class T>
bool read_number(const std::string& text, T& number) {
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size();
}

}  // namespace

// What is returned is the message; empty if the text is right.
CLI::Validator whole_number(std::int64_t low, std::int64_t high) {
  auto check = [low, high](std::string& text) -> std::string {
    std::int64_t number = 0;
    if (!read_number(text, number) || number < low || number > high) {
      return fmt::format("expected a whole number from {} to {}, found \"{}\"", low, high, text);
    }
    text = std::to_string(number);  // CLI11 would take 010 for 8
    return {};
  };
  return {check, ""};
}

CLI::Validator number_between(double low, double high, const std::string& expected) {
  auto check = [low, high, expected](std::string& text) -> std::string {
    float number = 0.0f;
    auto wide = static_cast<double>(read_number(text, number) ? number : NAN);
    if (std::isfinite(wide) && wide >= low && wide <= high) return {};
    return fmt::format("expected {}, found \"{}\"", expected, text);
  };
  return {check, ""};
}

CLI::Validator number_format(std::span<const NumberFormat> formats) {
  std::vector<std::string> names;
  for (NumberFormat each : formats) names.push_back(number_format_name(each));
  // In braces, as CLI11's IsMember has it: --help shows the words, and completions offer them.
  std::string words = fmt::format("{{{}}}", fmt::join(names, ","));
  auto check = [formats, names](std::string& text) -> std::string {
    auto format = parse_number_format(text);
    if (format && std::ranges::find(formats, *format) != formats.end()) {
      text = std::to_string(static_cast<int>(*format));  // as CLI11 reads an enum
      return {};
    }
    return fmt::format("expected {} or {}, found \"{}\"",
                       fmt::join(names.begin(), names.end() - 1, ", "), names.back(), text);
  };
  return {check, words};
}

CLI::Validator text_encoding() {
  auto check = [](const std::string& text) -> std::string {
    Result<void> known = check_encoding(text);
    return known ? std::string() : known.assume_error().message;
  };
  return {check, ""};
}

CLI::Validator not_empty(const char* what) {
  auto check = [what](std::string& text) {
    return text.empty() ? fmt::format("expected {}, found an empty string", what) : std::string();
  };
  return {check, ""};
}

}  // namespace chorus::cli

#include "checkpoint/config_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "core/printable.h"

namespace chorus::checkpoint {

const ConfigValue* ConfigValue::find(const char* name) const {
  auto found = std::ranges::find(fields, name, &ConfigField::name);
  return found == fields.end() ? nullptr : &found->value;
}

std::string config_value_text(const ConfigValue& value) {
  constexpr std::size_t kLongest = 60;  // characters
  using Kind = ConfigValue::Kind;
  switch (value.kind) {
    case Kind::kNone:
      return "none";
    case Kind::kBool:
      return value.integer != 0 ? "true" : "false";
    case Kind::kInteger:
      return fmt::format("{}", value.integer);
    case Kind::kReal:
      return fmt::format("{}", value.real);
    case Kind::kBigInteger:
      return value.text.empty() ? "an integer of over 64 bits" : value.text;
    case Kind::kText:
      return in_quotes(value.text.substr(0, kLongest));
    case Kind::kList:
      return "a list";
    case Kind::kRecord:
    case Kind::kOther:
      return value.text.empty() ? "an object" : printable(value.text.substr(0, kLongest));
  }
  return "";
}

bool is_on(const ConfigValue& value) {
  using Kind = ConfigValue::Kind;
  switch (value.kind) {
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInteger:
      return value.integer != 0;
    case Kind::kReal:
      return value.real != 0;
    case Kind::kText: {
      constexpr std::string_view kOff[] = {"", "none", "null", "false", "no", "off", "0"};
      std::string lower = value.text;
      std::ranges::transform(lower, lower.begin(),
                             [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      return std::ranges::find(kOff, lower) == std::end(kOff);
    }
    case Kind::kList:
      return !value.fields.empty();
    case Kind::kRecord:
      return !value.fields.empty() || !value.text.empty();
    case Kind::kBigInteger:
    case Kind::kOther:
      return true;
  }
  return true;
}

}  // namespace chorus::checkpoint

#include "json/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <set>
#include <utility>

#include "core/printable.h"
#include "json/text.h"

namespace chorus {
namespace {

namespace json = boost::json;

// What was found instead, in a few words: a value itself if it is short.
std::string found(const json::value& value) {
  switch (value.kind()) {
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
    case json::kind::string:
      return "a string";
    case json::kind::double_:
      return json_number(value.get_double());
    default:
      return json::serialize(value);
  }
}

}  // namespace

JsonFields::JsonFields(const json::object& object, FieldPolicy policy) : policy_(policy) {
  for (const auto& field : object) {
    std::string_view key(field.key().data(), field.key().size());
    std::string name(key);
    if (policy.dash_is_underscore) std::replace(name.begin(), name.end(), '-', '_');
    auto [place, is_new] = fields_.try_emplace(std::move(name), Field{&field.value(), key});
    if (!is_new) place->second.twice = true;
  }
}

const json::value* JsonFields::find(std::string_view name) {
  if (std::find(known_.begin(), known_.end(), name) == known_.end()) known_.emplace_back(name);
  auto place = fields_.find(name);
  if (place == fields_.end()) return nullptr;
  const Field& field = place->second;
  if (field.twice) fail(name, "expected the field once, found it with '_' and with '-'");
  return field.value->is_null() ? nullptr : field.value;
}

void JsonFields::read(std::string_view name, std::vector<std::int32_t>& ids) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  const char* expected = read_json(*field, ids);
  if (expected == nullptr) return;
  if (!field->is_array()) return refuse(name, expected);
  const json::array& array = field->get_array();
  std::int32_t id = 0;
  std::size_t i = 0;
  while (read_json(array[i], id) == nullptr) ++i;
  fail(name, fmt::format("expected {}, whole numbers of 32 bits; element {} is {}", expected, i,
                         found(array[i])));
}

void JsonFields::read(std::string_view name, std::int32_t& value, std::int64_t low,
                      std::int64_t high) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  std::int64_t number = 0;
  if (read_json(*field, number) != nullptr || number < low || number > high) {
    return refuse(name, fmt::format("a whole number from {} to {}", low, high));
  }
  value = static_cast<std::int32_t>(number);
}

void JsonFields::read(std::string_view name, std::optional<std::int32_t>& value, std::int64_t low,
                      std::int64_t high) {
  if (!has(name)) return;
  std::int32_t number = 0;
  read(name, number, low, high);
  value = number;
}

void JsonFields::require(std::string_view name, std::string_view what) {
  if (!has(name)) refuse(name, what);
}

void JsonFields::refuse(std::string_view name, std::string_view expected) {
  const json::value* value = find(name);
  fail(name, fmt::format("expected {}, found {}", expected,
                         value == nullptr ? "nothing" : found(*value)));
}

void JsonFields::fail(std::string_view name, std::string problem) {
  if (!error_) error_ = {std::string(name), std::move(problem)};
}

std::vector<std::string> JsonFields::unknown() const {
  const std::set<std::string_view> known(known_.begin(), known_.end());
  std::vector<std::string> names;
  for (const auto& [name, field] : fields_) {
    if (names.size() == kMostUnknown) break;
    if (!known.contains(name)) names.emplace_back(field.key);
  }
  return names;
}

std::optional<FieldError> JsonFields::error() const {
  if (error_ || !policy_.refuse_unknown) return error_;
  for (const std::string& key : unknown()) {
    return FieldError{
        {}, fmt::format("unknown field {}; known: {}", in_quotes(key), fmt::join(known_, ", "))};
  }
  return std::nullopt;
}

}  // namespace chorus

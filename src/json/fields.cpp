#include "json/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "core/printable.h"
#include "json/text.h"

namespace chorus {
namespace {

namespace json = boost::json;

// What of an error's message may hold a text, which whoever writes a log leaves out.
std::string text_in(const json::value& value, const std::string& excerpt) {
  return value.is_string() || value.is_structured() ? excerpt : std::string();
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
  auto place = fields_.find(name);
  if (place == fields_.end()) {
    if (std::find(absent_.begin(), absent_.end(), name) == absent_.end()) {
      absent_.emplace_back(name);
      known_.emplace_back(name);
    }
    return nullptr;
  }
  Field& field = place->second;
  if (!std::exchange(field.known, true)) known_.emplace_back(name);
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
  refuse_element(name, fmt::format("{}, whole numbers of 32 bits", expected), i, array[i]);
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
  if (value == nullptr) return fail(name, fmt::format("expected {}, found nothing", expected));
  std::string excerpt = json_excerpt(*value);
  fail(name, fmt::format("expected {}, found {}", expected, excerpt), text_in(*value, excerpt));
}

void JsonFields::refuse_element(std::string_view name, std::string_view expected, std::size_t index,
                                const json::value& element) {
  std::string excerpt = json_excerpt(element);
  fail(name, fmt::format("expected {}; element {} is {}", expected, index, excerpt),
       text_in(element, excerpt));
}

void JsonFields::fail(std::string_view name, std::string problem, std::string shown) {
  if (!error_) error_ = {std::string(name), std::move(problem), std::move(shown)};
}

std::vector<std::string> JsonFields::unknown() const {
  std::vector<std::string> names;
  for (const auto& [name, field] : fields_) {
    if (names.size() == kMostUnknown) break;
    if (!field.known) names.emplace_back(field.key);
  }
  return names;
}

std::optional<FieldError> JsonFields::error() const {
  if (error_ || !policy_.refuse_unknown) return error_;
  for (const std::string& key : unknown()) {
    std::string shown = in_quotes(key);
    std::string problem =
        fmt::format("unknown field {}; known: {}", shown, fmt::join(known_, ", "));
    return FieldError{{}, std::move(problem), std::move(shown)};
  }
  return std::nullopt;
}

}  // namespace chorus

#include "server/json_fields.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <utility>

#include "checkpoint/json.h"

namespace chorus::server {
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
    default:
      return json::serialize(value);
  }
}

// A whole number, also one written as 5.0.
std::optional<std::int64_t> whole_number(const json::value& value) {
  if (!value.is_number()) return std::nullopt;
  json::error_code error;
  auto number = value.to_number<std::int64_t>(error);
  if (error) return std::nullopt;
  return number;
}

}  // namespace

ApiResult<json::object> parse_body(std::string_view body) {
  Result<json::object> object = checkpoint::parse_json_object(body);
  if (!object) return ApiError{400, "the body: " + object.assume_error().message, {}, {}};
  return std::move(object.assume_value());
}

const json::value* JsonFields::find(const char* name) const {
  const json::value* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void JsonFields::refuse(const char* name, const std::string& expected) {
  if (error_) return;
  const json::value* value = find(name);
  error_ = bad_field(name, fmt::format("expected {}, found {}", expected,
                                       value == nullptr ? "nothing" : found(*value)));
}

void JsonFields::read(const char* name, bool& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  if (!field->is_bool()) return refuse(name, "true or false");
  value = field->get_bool();
}

void JsonFields::read(const char* name, std::string& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  if (!field->is_string()) return refuse(name, "a string");
  value = std::string(field->get_string());
}

void JsonFields::read(const char* name, float& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  double number = field->is_number() ? field->to_number<double>() : HUGE_VAL;
  if (!(std::abs(number) <= std::numeric_limits<float>::max())) return refuse(name, "a number");
  value = static_cast<float>(number);
}

void JsonFields::read(const char* name, std::uint64_t& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  if (const auto* large = field->if_uint64()) {
    value = *large;
  } else if (auto number = whole_number(*field)) {
    value = static_cast<std::uint64_t>(*number);
  } else {
    refuse(name, "a whole number of 64 bits");
  }
}

void JsonFields::read(const char* name, std::int32_t& value, std::int64_t low, std::int64_t high) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  auto number = whole_number(*field);
  if (!number || *number < low || *number > high) {
    return refuse(name, fmt::format("a whole number from {} to {}", low, high));
  }
  value = static_cast<std::int32_t>(*number);
}

void JsonFields::read(const char* name, std::optional<std::int32_t>& value, std::int64_t low,
                      std::int64_t high) {
  if (!has(name)) return;
  std::int32_t number = 0;
  read(name, number, low, high);
  value = number;
}

void JsonFields::read(const char* name, std::vector<std::int32_t>& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  auto ids = ids_of(*field);
  if (!ids) return refuse(name, "an array of token ids");
  value = std::move(*ids);
}

std::optional<std::vector<std::int32_t>> ids_of(const json::value& value) {
  const json::array* array = value.if_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::int32_t> ids;
  ids.reserve(array->size());
  for (const json::value& element : *array) {
    json::error_code error;
    auto id = element.is_number() ? element.to_number<std::int32_t>(error) : 0;
    if (!element.is_number() || error) return std::nullopt;
    ids.push_back(id);
  }
  return ids;
}

}  // namespace chorus::server

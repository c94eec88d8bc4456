#include "server/api/json_fields.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "json/parse.h"
#include "json/value.h"

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

}  // namespace

ApiResult<json::object> parse_body(std::string_view body) {
  Result<json::object> object = parse_json_object(body);
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

template <class Value>
void JsonFields::read_as(const char* name, Value& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  if (const char* expected = read_json(*field, value)) refuse(name, expected);
}

void JsonFields::read(const char* name, bool& value) { read_as(name, value); }
void JsonFields::read(const char* name, std::string& value) { read_as(name, value); }
void JsonFields::read(const char* name, float& value) { read_as(name, value); }
void JsonFields::read(const char* name, double& value) { read_as(name, value); }
void JsonFields::read(const char* name, std::uint64_t& value) { read_as(name, value); }
void JsonFields::read(const char* name, std::vector<std::int32_t>& value) { read_as(name, value); }

void JsonFields::read(const char* name, std::int32_t& value, std::int64_t low, std::int64_t high) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  std::int64_t number = 0;
  if (read_json(*field, number) != nullptr || number < low || number > high) {
    return refuse(name, fmt::format("a whole number from {} to {}", low, high));
  }
  value = static_cast<std::int32_t>(number);
}

void JsonFields::read(const char* name, std::optional<std::int32_t>& value, std::int64_t low,
                      std::int64_t high) {
  if (!has(name)) return;
  std::int32_t number = 0;
  read(name, number, low, high);
  value = number;
}

}  // namespace chorus::server

#include "json/value.h"

#include <boost/json.hpp>
#include <cmath>
#include <limits>
#include <utility>

namespace chorus {
namespace {

namespace json = boost::json;

template <class Integer>
const char* read_whole(const json::value& value, Integer& result, const char* expected) {
  if (!value.is_number()) return expected;
  json::error_code error;
  auto number = value.to_number<Integer>(error);
  if (error) return expected;
  result = number;
  return nullptr;
}

}  // namespace

const char* read_json(const json::value& value, bool& result) {
  if (!value.is_bool()) return "true or false";
  result = value.get_bool();
  return nullptr;
}

const char* read_json(const json::value& value, std::string& result) {
  if (!value.is_string()) return "a string";
  result = std::string(value.get_string());
  return nullptr;
}

const char* read_json(const json::value& value, float& result) {
  if (!value.is_number()) return "a number";
  double number = value.to_number<double>();
  if (!(std::abs(number) <= std::numeric_limits<float>::max())) return "a number of 32 bits";
  result = static_cast<float>(number);
  return nullptr;
}

const char* read_json(const json::value& value, double& result) {
  if (!value.is_number()) return "a number";
  result = value.to_number<double>();
  return nullptr;
}

const char* read_json(const json::value& value, std::int32_t& result) {
  return read_whole(value, result, "a whole number of 32 bits");
}

const char* read_json(const json::value& value, std::int64_t& result) {
  return read_whole(value, result, "a whole number of 64 bits");
}

const char* read_json(const json::value& value, std::uint64_t& result) {
  if (const auto* large = value.if_uint64()) {
    result = *large;
    return nullptr;
  }
  std::int64_t number = 0;
  const char* expected = read_json(value, number);
  if (expected == nullptr) result = static_cast<std::uint64_t>(number);
  return expected;
}

const char* read_json(const json::value& value, std::vector<std::int32_t>& result) {
  const json::array* array = value.if_array();
  if (array == nullptr) return "an array of token ids";
  std::vector<std::int32_t> ids;
  ids.reserve(array->size());
  for (const json::value& element : *array) {
    if (read_json(element, ids.emplace_back()) != nullptr) return "an array of token ids";
  }
  result = std::move(ids);
  return nullptr;
}

const char* read_json(const json::value& value, std::vector<std::string>& result) {
  constexpr const char* kExpected = "a string or an array of strings";
  std::vector<std::string> texts;
  if (const json::array* array = value.if_array()) {
    for (const json::value& element : *array) {
      if (read_json(element, texts.emplace_back()) != nullptr) return kExpected;
    }
  } else if (read_json(value, texts.emplace_back()) != nullptr) {
    return kExpected;
  }
  result = std::move(texts);
  return nullptr;
}

}  // namespace chorus

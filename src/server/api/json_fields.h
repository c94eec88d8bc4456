// Fields of a JSON request, read into C++ values. The first one that is wrong is kept as the error,
// by its name; a field that is absent or null leaves its value as it is; fields that nobody reads
// are ignored, as OpenAI's API does. One thread at a time.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/api_error.h"

namespace chorus::server {

// The object that a body is. Nesting, doubled keys and UTF-8 are checked. Errors: 400.
ApiResult<boost::json::object> parse_body(std::string_view body);

class JsonFields {
 public:
  explicit JsonFields(const boost::json::object& object) : object_(object) {}

  void read(const char* name, bool& value);
  void read(const char* name, std::string& value);
  void read(const char* name, float& value);
  void read(const char* name, double& value);
  void read(const char* name, std::uint64_t& value);  // 64 bits; negative: 2^64 + value, as a seed
  void read(const char* name, std::int32_t& value,
            std::int64_t low = std::numeric_limits<std::int32_t>::min(),
            std::int64_t high = std::numeric_limits<std::int32_t>::max());
  void read(const char* name, std::optional<std::int32_t>& value, std::int64_t low,
            std::int64_t high);
  void read(const char* name, std::vector<std::int32_t>& value);  // token ids

  // The field's value; null if it is absent or null.
  const boost::json::value* find(const char* name) const;
  bool has(const char* name) const { return find(name) != nullptr; }

  // Keeps the error that `name` is not `expected`, unless there is one already.
  void refuse(const char* name, const std::string& expected);
  const std::optional<ApiError>& error() const { return error_; }

 private:
  template <class Value>
  void read_as(const char* name, Value& value);

  const boost::json::object& object_;
  std::optional<ApiError> error_;
};

}  // namespace chorus::server

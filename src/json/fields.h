// The fields of a JSON object, read into C++ values: of a request's body, a line of --jsonl, a
// file's metadata. A field that is absent or null leaves its value as it is. The first one that is
// wrong is kept as the error; reading goes on. It is not a parser (parse.h is) and not what an
// answer looks like: whoever reads turns the error into one of their own. One thread at a time; it
// refers to the object, which must outlive it.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"

namespace chorus {

struct FieldPolicy {
  // Whether a field that nobody asked for is an error, or of no account.
  bool refuse_unknown = false;
  // Whether "max-length" is "max_length", too. A field that is there in both spellings is an error.
  bool dash_is_underscore = false;
};

struct FieldError {
  std::string field;    // empty: none in particular
  std::string problem;  // "expected a number, found \"one\""
  std::string
      shown;  // what of `problem` was found in the object; empty: nothing but a number or so

  std::string message() const { return field.empty() ? problem : field + ": " + problem; }
};

class JsonFields {
 public:
  explicit JsonFields(const boost::json::object& object, FieldPolicy policy = {});

  // The field's value; null if it is absent or null.
  const boost::json::value* find(std::string_view name);
  bool has(std::string_view name) { return find(name) != nullptr; }

  // Anything that read_json() reads. An optional is set if the field is there.
  template <class Value>
  void read(std::string_view name, Value& value);
  template <class Value>
  void read(std::string_view name, std::optional<Value>& value);
  // Token ids. Errors also say which element is none.
  void read(std::string_view name, std::vector<std::int32_t>& ids);
  // From `low` to `high`.
  void read(std::string_view name, std::int32_t& value, std::int64_t low,
            std::int64_t high = std::numeric_limits<std::int32_t>::max());
  void read(std::string_view name, std::optional<std::int32_t>& value, std::int64_t low,
            std::int64_t high = std::numeric_limits<std::int32_t>::max());

  // Keeps the error that the field is absent, if it is: "expected WHAT, found nothing".
  void require(std::string_view name, std::string_view what);
  // Keeps an error of the field, as it stands, unless there is one already.
  void fail(std::string_view name, std::string problem, std::string shown = {});
  // Keeps the error that the field is not what was expected, unless there is one already.
  void refuse(std::string_view name, std::string_view expected);
  // The same for one element of an array.
  void refuse_element(std::string_view name, std::string_view expected, std::size_t index,
                      const boost::json::value& element);

  // The names that were asked for, and the first of the object's keys that were not: those that nobody
  // reads. At most kMostUnknown, as bodies may have any number.
  static constexpr std::size_t kMostUnknown = 100;
  const std::vector<std::string>& known() const { return known_; }
  std::vector<std::string> unknown() const;

  // What was wrong first. To be asked at the end: of those policies that refuse unknown fields, a
  // field that was not asked for until now is wrong, too, and is named with those that were.
  std::optional<FieldError> error() const;

 private:
  struct Field {
    const boost::json::value* value;
    std::string_view key;  // as it is spelled
    bool twice = false;    // in both spellings
    bool known = false;    // it was asked for
  };

  std::map<std::string, Field, std::less<>> fields_;
  std::vector<std::string> known_;   // in the order in which they were asked for
  std::vector<std::string> absent_;  // of these, the ones that are not there
  FieldPolicy policy_;
  std::optional<FieldError> error_;
};

template <class Value>
void JsonFields::read(std::string_view name, Value& value) {
  const boost::json::value* field = find(name);
  if (field == nullptr) return;
  if (const char* expected = read_json(*field, value)) refuse(name, expected);
}

template <class Value>
void JsonFields::read(std::string_view name, std::optional<Value>& value) {
  if (!has(name)) return;
  Value found{};
  read(name, found);
  value = std::move(found);
}

}  // namespace chorus

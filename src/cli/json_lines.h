// A request a line in, an answer a line out, in order.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <istream>
#include <string>

#include "cli/input.h"

namespace chorus::cli {

// Writes the answer of `answer` (JSON text without a line end) for each line of `in`, a JSON
// object, as soon as it is there. A line that is no object, or for which `answer` throws
// CommandFailed, is answered with {"error": {"line": N, "message": "..."}}; the others go on. Blank
// lines are skipped. Throws CommandFailed at the end, with how many failed, if any did; at once if
// writing fails.
void answer_json_lines(std::istream& in,
                       const std::function<std::string(const boost::json::object&)>& answer);

// Fields of a request, found under the option's name with '_' or '-' between its words. An absent
// field leaves `value` as it is. They throw CommandFailed, naming the field, for a wrong type or
// range, and for a field that is there in both spellings.
class JsonFields {
 public:
  explicit JsonFields(const boost::json::object& object);

  void read(const char* name, std::int32_t& value);
  void read(const char* name, std::uint64_t& value);  // negative: 2^64 + value, as a seed
  void read(const char* name, float& value);
  void read(const char* name, bool& value);
  void read(const char* name, std::string& value);
  void read(const char* name, std::vector<std::int32_t>& value);
  void read(const char* name, std::vector<std::string>& value);  // a string or a list of them
  bool has(const char* name) { return find(name) != nullptr; }
  void require(const char* name);  // throws CommandFailed if it is absent

  // Throws CommandFailed for a field that no read() or has() asked for, by its name.
  void expect_no_other() const;

 private:
  const boost::json::value* find(const char* name);

  const boost::json::object& object_;
  std::vector<std::string> known_;
};

}  // namespace chorus::cli

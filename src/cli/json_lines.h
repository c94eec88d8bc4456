// A request a line in, an answer a line out, in order.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <string>

#include "cli/input.h"

namespace chorus::cli {

struct LineAnswer {
  std::string json;          // without a line end
  std::uint64_t tokens = 0;  // generated or scored, for the progress shown
};

// Writes the answer of `answer` for each line of `in`, a JSON object, in order and as soon as it
// and those before it are there. Up to `parallel` lines are answered at once, each by a thread of
// its own; with 1, a line is answered before the next is read. A line that is no object, or for
// which `answer` throws CommandFailed, is answered with {"error": {"line": N, "message": "..."}};
// the others go on. Blank lines are skipped. Shows tokens per second on a terminal. Throws
// CommandFailed at the end, with how many failed, if any did; soon if writing fails.
void answer_json_lines(std::istream& in, std::size_t parallel,
                       const std::function<LineAnswer(const boost::json::object&)>& answer);

// Fields of a request, found under the option's name with '_' or '-' between its words. An absent
// field leaves `value` as it is. They throw CommandFailed, naming the field, for a wrong type or
// range, and for a field that is there in both spellings.
class JsonFields {
 public:
  explicit JsonFields(const boost::json::object& object);

  void read(const char* name, std::int32_t& value);
  void read(const char* name, std::optional<std::int32_t>& value);
  void read(const char* name, std::uint64_t& value);  // negative: 2^64 + value, as a seed
  void read(const char* name, float& value);
  void read(const char* name, double& value);
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
  template <class Value>
  void read_as(const char* name, Value& value);

  const boost::json::object& object_;
  std::vector<std::string> known_;
};

}  // namespace chorus::cli

#include "cli/json_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <mutex>
#include <semaphore>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "json/text.h"
#include "json/value.h"

namespace chorus::cli {
namespace {

namespace json = boost::json;

[[noreturn]] void expected(const char* name, const char* what) {
  throw CommandFailed(fmt::format("{}: expected {}", name, what));
}

std::string with_underscores(std::string_view name) {
  std::string result(name);
  std::replace(result.begin(), result.end(), '-', '_');
  return result;
}

json::object parse_object(const std::string& line) {
  json::error_code error;
  json::value value = json::parse(line, error);
  if (error) throw CommandFailed("not JSON: " + error.message());
  if (!value.is_object()) throw CommandFailed("expected a JSON object");
  return std::move(value.as_object());
}

// The answers in the order of their lines: one that comes early waits for those before it.
// Thread contract: put() and put_error() from any thread.
class OrderedAnswers {
 public:
  void put(std::size_t place, LineAnswer answer) {
    std::lock_guard lock(mutex_);
    tokens_ += answer.tokens;
    early_.emplace(place, std::move(answer.json));
    while (!early_.empty() && early_.begin()->first == next_) {
      write(early_.begin()->second + "\n");
      early_.erase(early_.begin());
      ++next_;
    }
    progress_.update(tokens_, 0);
  }

  void put_error(std::size_t place, std::size_t line_number, const char* message) {
    {
      std::lock_guard lock(mutex_);
      ++failed_;
    }
    put(place, {.json = fmt::format(R"({{"error":{{"line":{},"message":{}}}}})", line_number,
                                    json_string(message))});
  }

  // Whether writing has failed.
  bool broken() {
    std::lock_guard lock(mutex_);
    return !write_error_.empty();
  }

  // When all have been put.
  void finish() {
    progress_.finish();
    if (!write_error_.empty()) throw CommandFailed(write_error_);
    if (failed_ > 0) {
      throw CommandFailed(
          fmt::format("{} of {} requests failed: see \"error\" in their lines", failed_, next_));
    }
  }

 private:
  void write(const std::string& text) {
    if (!write_error_.empty()) return;
    try {
      write_output(text);
    } catch (const CommandFailed& error) {
      write_error_ = error.what();
    }
  }

  std::mutex mutex_;  // guards all
  std::map<std::size_t, std::string> early_;
  std::size_t next_ = 0, failed_ = 0;
  std::uint64_t tokens_ = 0;
  std::string write_error_;
  ProgressBar progress_{"Requests", ProgressOutput::standard_error(), kTokens};
};

}  // namespace

void answer_json_lines(std::istream& in, std::size_t parallel,
                       const std::function<LineAnswer(const json::object&)>& answer) {
  OrderedAnswers answers;
  std::size_t number = 0;
  auto work = [&](std::size_t place, std::size_t line_number, const std::string& line) {
    try {
      answers.put(place, answer(parse_object(line)));
    } catch (const CommandFailed& error) {
      answers.put_error(place, line_number, error.what());
    }
  };
  boost::asio::thread_pool pool(parallel);
  std::counting_semaphore<> room(static_cast<std::ptrdiff_t>(parallel));
  std::size_t place = 0;
  for (std::string line; !answers.broken() && std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (parallel == 1) {
      work(place++, number, line);
      continue;
    }
    room.acquire();
    boost::asio::post(pool, [&, place, number, line = std::move(line)] {
      work(place, number, line);
      room.release();
    });
    ++place;
  }
  pool.join();
  answers.finish();
}

JsonFields::JsonFields(const json::object& object) : object_(object) {}

const json::value* JsonFields::find(const char* name) {
  if (std::find(known_.begin(), known_.end(), name) == known_.end()) known_.emplace_back(name);
  const json::value* found = nullptr;
  for (const auto& field : object_) {
    if (with_underscores(field.key()) != name) continue;
    if (found != nullptr) expected(name, "the field once, found it with '_' and with '-'");
    found = &field.value();
  }
  return found;
}

void JsonFields::require(const char* name) {
  if (!has(name)) throw CommandFailed(fmt::format("expected a field \"{}\"", name));
}

template <class Value>
void JsonFields::read_as(const char* name, Value& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  if (const char* what = read_json(*field, value)) expected(name, what);
}

void JsonFields::read(const char* name, std::int32_t& value) { read_as(name, value); }
void JsonFields::read(const char* name, std::uint64_t& value) { read_as(name, value); }
void JsonFields::read(const char* name, float& value) { read_as(name, value); }
void JsonFields::read(const char* name, double& value) { read_as(name, value); }
void JsonFields::read(const char* name, bool& value) { read_as(name, value); }
void JsonFields::read(const char* name, std::string& value) { read_as(name, value); }

void JsonFields::read(const char* name, std::optional<std::int32_t>& value) {
  if (has(name)) read(name, value.emplace());
}

void JsonFields::read(const char* name, std::vector<std::int32_t>& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  Result<std::vector<std::int32_t>> ids = ids_from_json(*field);
  if (!ids) throw CommandFailed(fmt::format("{}: {}", name, ids.assume_error().message));
  value = std::move(ids.assume_value());
}

void JsonFields::read(const char* name, std::vector<std::string>& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  value.clear();
  if (field->is_string()) value.emplace_back(field->as_string());
  if (field->is_string()) return;
  if (!field->is_array()) expected(name, "a string or a list of strings");
  for (const json::value& element : field->as_array()) {
    if (!element.is_string()) expected(name, "a string or a list of strings");
    value.emplace_back(element.as_string());
  }
}

void JsonFields::expect_no_other() const {
  for (const auto& field : object_) {
    std::string name = with_underscores(field.key());
    if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
      throw CommandFailed(fmt::format("unknown field \"{}\"; known: {}",
                                      std::string_view(field.key().data(), field.key().size()),
                                      fmt::join(known_, ", ")));
    }
  }
}

}  // namespace chorus::cli

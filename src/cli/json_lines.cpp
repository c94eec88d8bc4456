#include "cli/json_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/output.h"

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

}  // namespace

void answer_json_lines(std::istream& in,
                       const std::function<std::string(const json::object&)>& answer) {
  std::size_t number = 0, failed = 0, answered = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    std::string text;
    try {
      text = answer(parse_object(line));
    } catch (const CommandFailed& error) {
      ++failed;
      text = fmt::format(R"({{"error":{{"line":{},"message":{}}}}})", number,
                         json_string(error.what()));
    }
    ++answered;
    write_output(text + "\n");
  }
  if (failed > 0) {
    throw CommandFailed(
        fmt::format("{} of {} requests failed: see \"error\" in their lines", failed, answered));
  }
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

void JsonFields::read(const char* name, std::int32_t& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  json::error_code error;
  auto number = field->is_number() ? field->to_number<std::int32_t>(error) : 0;
  if (!field->is_number() || error) expected(name, "a whole number of 32 bits");
  value = number;
}

void JsonFields::read(const char* name, std::uint64_t& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  if (const auto* number = field->if_int64()) {
    value = static_cast<std::uint64_t>(*number);
  } else if (const auto* large = field->if_uint64()) {
    value = *large;
  } else {
    expected(name, "a whole number of 64 bits");
  }
}

void JsonFields::read(const char* name, float& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  if (!field->is_number()) expected(name, "a number");
  double number = field->to_number<double>();
  if (std::abs(number) > std::numeric_limits<float>::max()) expected(name, "a number of 32 bits");
  value = static_cast<float>(number);
}

void JsonFields::read(const char* name, bool& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  if (!field->is_bool()) expected(name, "true or false");
  value = field->as_bool();
}

void JsonFields::read(const char* name, std::string& value) {
  const json::value* field = find(name);
  if (field == nullptr) return;
  if (!field->is_string()) expected(name, "a string");
  value = std::string(field->as_string());
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

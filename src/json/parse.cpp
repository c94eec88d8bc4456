#include "json/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/error_text.h"
#include "core/printable.h"
#include "core/utf8.h"

namespace chorus {
namespace {

namespace json = boost::json;
using boost::system::error_code;

// Receives the parser's events and builds the value. Every function returns whether to go on.
class Handler {
 public:
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  json::value release() { return stack_.release(); }
  const std::string& duplicate_key() const { return duplicate_key_; }

  bool on_document_begin(error_code&) {
    stack_.reset();
    return true;
  }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    keys_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t count, error_code&) {
    keys_.pop_back();
    stack_.push_object(count);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t count, error_code&) {
    stack_.push_array(count);
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, error_code&) {
    key_.append(part.data(), part.size());
    stack_.push_chars(part);
    return true;
  }
  bool on_key(json::string_view part, std::size_t, error_code& error) {
    key_.append(part.data(), part.size());
    stack_.push_key(part);
    bool is_new = keys_.back().insert(key_).second;
    if (!is_new) {
      duplicate_key_ = key_;
      error = json::error::exception;
    }
    key_.clear();
    return is_new;
  }
  bool on_string_part(json::string_view part, std::size_t, error_code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(json::string_view part, std::size_t, error_code&) {
    stack_.push_string(part);
    return true;
  }
  bool on_number_part(json::string_view part, error_code&) {
    number_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t value, json::string_view, error_code&) {
    number_.clear();
    stack_.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, json::string_view, error_code&) {
    number_.clear();
    stack_.push_uint64(value);
    return true;
  }
  bool on_double(double value, json::string_view part, error_code&) {
    number_.append(part.data(), part.size());
    // Boost's own value may be off in the last bit. Out of range, its infinity or zero stands.
    std::from_chars(number_.data(), number_.data() + number_.size(), value);
    number_.clear();
    stack_.push_double(value);
    return true;
  }
  bool on_bool(bool value, error_code&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  json::value_stack stack_;
  std::vector<std::set<std::string>> keys_;  // of each object that is open
  std::string key_, number_;                 // the parts so far
  std::string duplicate_key_;
};

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// The code unit of the escape "\uXXXX" at `place`; nothing if there is none.
std::optional<unsigned> escaped_unit(std::string_view text, std::size_t place) {
  if (text.size() - std::min(place, text.size()) < 6 || text.substr(place, 2) != "\\u") {
    return std::nullopt;
  }
  unsigned unit = 0;
  const char* digits = text.data() + place + 2;
  auto [end, error] = std::from_chars(digits, digits + 4, unit, 16);
  if (error != std::errc() || end != digits + 4) return std::nullopt;
  return unit;
}

// Where the first escaped surrogate that has no partner stands, from `place` on. Outside of strings
// a backslash is an error, which the parser finds.
std::size_t find_lone_surrogate(std::string_view text, std::size_t place) {
  auto is_between = [](std::optional<unsigned> unit, unsigned low, unsigned high) {
    return unit && *unit >= low && *unit <= high;
  };
  while ((place = text.find('\\', place)) != std::string_view::npos) {
    std::optional<unsigned> unit = escaped_unit(text, place);
    if (!is_between(unit, 0xd800, 0xdfff)) {
      place += 2;
    } else if (*unit < 0xdc00 && is_between(escaped_unit(text, place + 6), 0xdc00, 0xdfff)) {
      place += 12;
    } else {
      break;
    }
  }
  return place;
}

// The same text with the escape of U+FFFD in their place, which is as long: offsets stay.
std::string without_lone_surrogates(std::string_view text, std::size_t place) {
  std::string result(text);
  for (; place != std::string::npos; place = find_lone_surrogate(text, place + 6)) {
    result.replace(place, 6, "\\ufffd");
  }
  return result;
}

Result<json::value> parse(std::string_view text, std::size_t skipped) {
  json::parse_options options;
  options.max_depth = 16;
  json::basic_parser<Handler> parser(options);
  error_code error;
  std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!parser.handler().duplicate_key().empty()) {
    return Error{ErrorCode::kCorrupt, "bad JSON: the key " +
                                          in_quotes(parser.handler().duplicate_key()) +
                                          " stands twice in one object"};
  }
  if (!error && used < text.size()) error = json::error::extra_data;
  if (error) {
    std::size_t good = well_formed_length(text.substr(0, used + 4));  // 4: a character's length
    bool is_utf8 = good > used || good == text.size();
    return Error{ErrorCode::kCorrupt,
                 is_utf8 ? fmt::format("bad JSON at byte {}: {}", skipped + used, error.message())
                         : fmt::format("bad JSON: not utf-8 at byte {}", skipped + good)};
  }
  return parser.handler().release();
}

}  // namespace

Result<json::value> parse_json(std::string_view text) {
  std::size_t skipped = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  text.remove_prefix(skipped);
  std::size_t lone = find_lone_surrogate(text, 0);
  if (lone == std::string_view::npos) return parse(text, skipped);
  return parse(without_lone_surrogates(text, lone), skipped);
}

Result<json::object> parse_json_object(std::string_view text) {
  CHORUS_TRY(json::value value, parse_json(text));
  if (!value.is_object()) return Error{ErrorCode::kCorrupt, "expected a JSON object"};
  return std::move(value.get_object());
}

}  // namespace chorus

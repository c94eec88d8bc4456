#include "engine/stop_strings.h"

#include <algorithm>

namespace chorus::engine {
namespace {

// The length of the longest end of `text` that is a proper beginning of `string`.
std::size_t partial_match(std::string_view text, std::string_view string) {
  std::size_t length = std::min(text.size(), string.size() - 1);
  while (length > 0 && text.substr(text.size() - length) != string.substr(0, length)) --length;
  return length;
}

}  // namespace

StopStrings::StopStrings(std::vector<std::string> strings, bool include)
    : strings_(std::move(strings)), include_(include) {
  std::erase_if(strings_, [](const std::string& string) { return string.empty(); });
}

std::string StopStrings::push(std::string_view text) {
  if (found_) return {};
  held_ += text;
  std::size_t first = std::string::npos;
  std::size_t length = 0;  // of the one found; the longest of several that begin there
  std::size_t partial = 0;
  for (const std::string& string : strings_) {
    std::size_t at = held_.find(string);
    if (at < first || (at == first && at != std::string::npos)) {
      length = at < first ? string.size() : std::max(length, string.size());
      first = at;
    }
    partial = std::max(partial, partial_match(held_, string));
  }
  found_ = first != std::string::npos;
  std::size_t end = first + (include_ ? length : 0);
  std::string certain = held_.substr(0, found_ ? end : held_.size() - partial);
  held_.erase(0, found_ ? std::string::npos : certain.size());
  return certain;
}

std::string StopStrings::finish() {
  std::string rest;
  rest.swap(held_);
  return rest;
}

}  // namespace chorus::engine

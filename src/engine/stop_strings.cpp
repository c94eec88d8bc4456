#include "engine/stop_strings.h"

#include <algorithm>
#include <utility>

namespace chorus::engine {

StopSet::StopSet(const std::vector<std::string>& strings) {
  for (const std::string& string : strings) {
    if (string.empty()) continue;
    Pattern pattern{string, std::vector<std::uint32_t>(string.size() + 1, 0)};
    std::uint32_t matched = 0;
    for (std::uint32_t i = 1; i < string.size(); ++i) {
      matched = pattern.next(matched, string[i]);
      pattern.shorter[i + 1] = matched;
    }
    patterns_.push_back(std::move(pattern));
  }
}

std::uint32_t StopSet::Pattern::next(std::uint32_t matched, char byte) const {
  while (matched == string.size() || string[matched] != byte) {
    if (matched == 0) return 0;
    matched = shorter[matched];
  }
  return matched + 1;
}

StopStrings::StopStrings(std::shared_ptr<const StopSet> set, bool include)
    : set_(std::move(set)), matched_(set_->patterns_.size(), 0), include_(include) {}

std::string StopStrings::push(std::string_view text) {
  if (found_) return {};
  std::size_t before = held_.size();
  held_ += text;
  std::size_t first = std::string::npos, last = 0;  // of the stop string found
  std::size_t partial = 0;                          // the longest beginning of one at the end
  for (std::size_t i = 0; i < matched_.size(); ++i) {
    const StopSet::Pattern& pattern = set_->patterns_[i];
    std::uint32_t& matched = matched_[i];
    for (std::size_t at = before; at < held_.size(); ++at) {
      matched = pattern.next(matched, held_[at]);
      if (matched < pattern.string.size()) continue;
      std::size_t begin = at + 1 - matched;
      if (begin < first || (begin == first && at + 1 > last)) {
        first = begin;
        last = at + 1;
      }
      break;  // a later one of the same string begins later
    }
    partial = std::max<std::size_t>(partial, matched);
  }
  found_ = first != std::string::npos;
  std::string certain =
      held_.substr(0, found_ ? (include_ ? last : first) : held_.size() - partial);
  held_.erase(0, found_ ? std::string::npos : certain.size());
  return certain;
}

std::string StopStrings::finish() {
  std::string rest;
  rest.swap(held_);
  return rest;
}

}  // namespace chorus::engine

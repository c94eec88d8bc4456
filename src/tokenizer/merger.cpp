#include "tokenizer/merger.h"

#include <algorithm>
#include <functional>

namespace chorus::tokenizer {
namespace {

constexpr unsigned kIndexBits = 40;

}  // namespace

void Merger::merge(std::string_view piece, std::vector<std::int32_t>& out) {
  start(piece);
  while (!proposals_.empty()) {
    std::pop_heap(proposals_.begin(), proposals_.end(), std::greater<>());
    std::uint64_t proposal = proposals_.back();
    proposals_.pop_back();
    std::size_t index = proposal & ((std::uint64_t{1} << kIndexBits) - 1);
    const Vocabulary::Merge& merged = parts_[index].merged;
    if (merged.token != kNoToken && merged.rank == proposal >> kIndexBits) join_with_next(index);
  }
  for (std::size_t index = 0; index < parts_.size(); index = parts_[index].next) {
    out.push_back(parts_[index].token);
  }
}

void Merger::start(std::string_view piece) {
  parts_.clear();
  proposals_.clear();
  bool follows_unknown = false;
  for (char character : piece) {
    std::int32_t token = vocabulary_.token_of_byte(static_cast<std::uint8_t>(character));
    bool is_unknown = token == kNoToken;
    bool is_left_out = is_unknown && (!unknown_.id || (unknown_.fuses && follows_unknown));
    follows_unknown = is_unknown;
    if (is_left_out) continue;
    std::size_t index = parts_.size();
    parts_.push_back({is_unknown ? *unknown_.id : token, {}, index - 1, index + 1});
  }
  for (std::size_t i = 0; i < parts_.size(); ++i) propose(i);
}

// The first part's `previous` is out of range, and so is the last one's `next`.
void Merger::join_with_next(std::size_t index) {
  Part& part = parts_[index];
  Part& gone = parts_[part.next];
  part.token = part.merged.token;
  part.next = gone.next;
  gone = {kNoToken, {}, index, index};
  if (part.next < parts_.size()) parts_[part.next].previous = index;
  propose(index);
  if (part.previous < parts_.size()) propose(part.previous);
}

void Merger::propose(std::size_t index) {
  Part& part = parts_[index];
  part.merged = part.next < parts_.size() ? vocabulary_.merged(part.token, parts_[part.next].token)
                                          : Vocabulary::Merge{};
  if (part.merged.token == kNoToken) return;
  proposals_.push_back(std::uint64_t{part.merged.rank} << kIndexBits | index);
  std::push_heap(proposals_.begin(), proposals_.end(), std::greater<>());
}

}  // namespace chorus::tokenizer

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
    if (parts_[index].merged == static_cast<std::int32_t>(proposal >> kIndexBits)) {
      join_with_next(index);
    }
  }
  for (std::size_t index = 0; index < piece.size(); index = parts_[index].next) {
    out.push_back(parts_[index].token);
  }
}

void Merger::start(std::string_view piece) {
  parts_.clear();
  proposals_.clear();
  for (std::size_t i = 0; i < piece.size(); ++i) {
    auto byte = static_cast<std::uint8_t>(piece[i]);
    parts_.push_back({vocabulary_.token_of_byte(byte), kNoToken, i - 1, i + 1});
  }
  for (std::size_t i = 0; i < piece.size(); ++i) propose(i);
}

// The first part's `previous` is out of range, and so is the last one's `next`.
void Merger::join_with_next(std::size_t index) {
  Part& part = parts_[index];
  Part& gone = parts_[part.next];
  part.token = part.merged;
  part.next = gone.next;
  gone = {kNoToken, kNoToken, index, index};
  if (part.next < parts_.size()) parts_[part.next].previous = index;
  propose(index);
  if (part.previous < parts_.size()) propose(part.previous);
}

void Merger::propose(std::size_t index) {
  Part& part = parts_[index];
  part.merged = part.next < parts_.size() ? vocabulary_.merged(part.token, parts_[part.next].token)
                                          : kNoToken;
  if (part.merged == kNoToken) return;
  proposals_.push_back(static_cast<std::uint64_t>(part.merged) << kIndexBits | index);
  std::push_heap(proposals_.begin(), proposals_.end(), std::greater<>());
}

}  // namespace chorus::tokenizer

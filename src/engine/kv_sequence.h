// The keys and values of one sequence: its pages, allotted when it grows. Not thread-safe.
#pragma once

#include <vector>

#include "core/aligned_buffer.h"
#include "model/kv_pages.h"

namespace chorus::engine {

class KvSequence {
 public:
  explicit KvSequence(const model::KvLayout& layout) : layout_(layout) {}

  // Pages for positions up to `positions` - 1, whatever was there being kept.
  void reserve(std::size_t positions) {
    while (pages_.size() * model::kPagePositions < positions) {
      buffers_.emplace_back(layout_.page_bytes());
      pages_.push_back(buffers_.back().data());
    }
  }
  std::span<std::byte* const> pages() const { return pages_; }

 private:
  model::KvLayout layout_;
  std::vector<AlignedBuffer<std::byte>> buffers_;
  std::vector<std::byte*> pages_;
};

}  // namespace chorus::engine

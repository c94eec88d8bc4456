// The memory of the pages of keys and values, which others know by number alone. It is allotted in
// slabs of several pages when one is first written, spent as it is written, and kept.
//
// Thread contract: belongs to the thread that makes the steps; the members of its team read and
// write the pages of a step.
#pragma once

#include <vector>

#include "core/aligned_buffer.h"
#include "model/kv_pages.h"

namespace chorus::model {

class KvStore {
 public:
  // For page numbers below `max_pages`.
  KvStore(const KvLayout& layout, std::size_t max_pages);

  // Sees to it that the page has memory; its contents are unspecified at first. Throws
  // std::bad_alloc, and then everything is as it was.
  void allot(PageNumber page);

  // The contents of `from`, which has been written, to `to`. Throws std::bad_alloc.
  void copy(PageNumber from, PageNumber to);

  // Of a page that has memory: layout().page_bytes(), aligned to 64 bytes.
  std::byte* data(PageNumber page);

  const KvLayout& layout() const { return layout_; }
  std::size_t allotted_bytes() const;

 private:
  KvLayout layout_;
  std::size_t max_pages_;
  PageNumber slab_pages_;
  std::vector<AlignedBuffer<std::byte>> slabs_;  // empty: not allotted yet
};

}  // namespace chorus::model

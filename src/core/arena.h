// Memory for many arrays that live equally long, side by side, so that together they fill huge pages: an
// array of a megabyte or two, which a layer's matrix may be, would have none of its own. Arrays are zero at
// first and aligned for vectors; nothing is given back before the arena ends. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "core/aligned_buffer.h"

namespace chorus {

class Arena {
 public:
  // Takes this many bytes at a time from the system, or more for an array that is larger. What is never
  // written takes no memory if that is at least a few megabytes.
  explicit Arena(std::size_t slab_bytes) : slab_bytes_(slab_bytes) {}

  // Throws std::bad_alloc when there is no memory.
  template <class T>
  std::span<T> allot(std::size_t count) {
    static_assert(std::is_trivial_v<T> && alignof(T) <= kAlignment);
    if (count > (SIZE_MAX - kAlignment) / sizeof(T)) throw std::bad_alloc();
    std::size_t bytes = (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    if (bytes > left_.size()) {
      slabs_.emplace_back(std::max(slab_bytes_, bytes));
      left_ = slabs_.back().span();
    }
    std::span<std::byte> taken = left_.first(bytes);
    left_ = left_.subspan(bytes);
    return {reinterpret_cast<T*>(taken.data()), count};
  }

 private:
  static constexpr std::size_t kAlignment = 64;

  std::size_t slab_bytes_;
  std::vector<AlignedBuffer<std::byte>> slabs_;
  std::span<std::byte> left_;  // of the last slab
};

}  // namespace chorus

// Asking memory ahead, evenly over the work that is done meanwhile: for kernels that read a part of the
// weights many times from a cache, where the part that comes next would otherwise be read by the first
// of those times alone.
#pragma once

#include <cstddef>

namespace chorus::kernels {
namespace {

// From `from` on, so many bytes each time: into the second-level cache, since the first is small, and
// full of what is being worked on.
class Prefetch {
 public:
  Prefetch(const void* from, std::size_t bytes_each_time)
      : next_(static_cast<const std::byte*>(from)), step_(bytes_each_time) {}

  // Beyond the matrix this is memory that is not ours, which does no harm.
  void advance() {
    for (due_ += step_; due_ >= 64; due_ -= 64, next_ += 64) __builtin_prefetch(next_, 0, 2);
  }
  // The same without a branch, for inner loops and steps of a line at most: it may ask for one twice.
  void advance_at_once() {
    __builtin_prefetch(next_, 0, 2);
    next_ += step_;
  }

 private:
  const std::byte* next_;
  std::size_t step_, due_ = 0;
};

}  // namespace
}  // namespace chorus::kernels

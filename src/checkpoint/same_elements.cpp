#include "checkpoint/same_elements.h"

#include <algorithm>
#include <cstring>

namespace chorus::checkpoint {
namespace {

// The first index from which on both views are row-major without gaps: their last dimensions form
// runs of bytes. `run` becomes the elements of one.
std::size_t contiguous_from(const ElementView& left, const ElementView& right, std::int64_t& run) {
  run = 1;
  std::size_t i = left.shape.size();
  for (; i > 0; --i) {
    bool fits =
        left.shape[i - 1] == 1 || (left.strides[i - 1] == run && right.strides[i - 1] == run);
    if (!fits) break;
    run *= left.shape[i - 1];
  }
  return i;
}

}  // namespace

bool same_elements(const ElementView& left, const ElementView& right) {
  if (left.element_size != right.element_size || left.shape != right.shape) return false;
  if (std::ranges::find(left.shape, 0) != left.shape.end()) return true;
  if (left.data.data() == right.data.data() && left.strides == right.strides) return true;
  std::int64_t run = 1;
  const std::size_t outer = contiguous_from(left, right, run);
  const std::size_t run_bytes = static_cast<std::size_t>(run) * left.element_size;
  std::vector<std::int64_t> index(outer, 0);
  for (;;) {
    std::int64_t left_place = 0, right_place = 0;
    for (std::size_t i = 0; i < outer; ++i) {
      left_place += index[i] * left.strides[i];
      right_place += index[i] * right.strides[i];
    }
    if (std::memcmp(left.data.data() + static_cast<std::size_t>(left_place) * left.element_size,
                    right.data.data() + static_cast<std::size_t>(right_place) * right.element_size,
                    run_bytes) != 0) {
      return false;
    }
    std::size_t i = outer;
    while (i > 0 && ++index[i - 1] == left.shape[i - 1]) index[--i] = 0;
    if (i == 0) return true;
  }
}

}  // namespace chorus::checkpoint

// What can be said of one tensor from its type, shape and strides. Pure functions; not where a view
// is checked against its data (each file reader does that).
#include <algorithm>

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {

std::int64_t Tensor::element_count() const {
  // An empty tensor's other dimensions may be of any size, so that their product could overflow.
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::int64_t count = 1;
  for (std::int64_t size : shape) count *= size;
  return count;
}

bool Tensor::is_contiguous() const {
  // The stride of a dimension with one element is never used, and no stride of an empty tensor is.
  if (element_count() == 0) return true;
  std::int64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

}  // namespace chorus::checkpoint

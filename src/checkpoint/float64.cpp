#include "checkpoint/float64.h"

#include <cstring>
#include <new>

namespace chorus::checkpoint {
namespace {

std::vector<std::int64_t> row_major(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

// Calls `place` with each element's offset, in elements, in row-major order.
template <class Place>
void for_each_offset(const OtherTensor& tensor, std::int64_t count, Place place) {
  std::vector<std::int64_t> index(tensor.shape.size(), 0);
  std::int64_t offset = 0;
  for (std::int64_t left = count; left > 0; --left) {
    place(offset);
    for (std::size_t i = index.size(); i-- > 0;) {
      offset += tensor.strides[i];
      if (++index[i] < tensor.shape[i]) break;
      offset -= tensor.strides[i] * tensor.shape[i];
      index[i] = 0;
    }
  }
}

}  // namespace

Result<Tensor> round_to_f32(const OtherTensor& tensor,
                            std::vector<std::shared_ptr<const void>>& owners) {
  Tensor result{NumberFormat::kF32, tensor.shape, {}, {}};
  const std::int64_t count = result.element_count();
  std::shared_ptr<std::vector<float>> elements;
  try {
    elements = std::make_shared<std::vector<float>>();
    elements->reserve(static_cast<std::size_t>(count));
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kUnsupported, "there is not the memory to round its f64 weights"};
  }
  for_each_offset(tensor, count, [&](std::int64_t offset) {
    double value;
    std::memcpy(&value, tensor.data.data() + static_cast<std::size_t>(offset) * sizeof value,
                sizeof value);
    elements->push_back(static_cast<float>(value));
  });
  if (count > 0)
    result.strides = row_major(tensor.shape);
  else
    result.strides.assign(tensor.shape.size(), 0);
  result.data = std::as_bytes(std::span<const float>(*elements));
  owners.push_back(std::move(elements));
  return result;
}

}  // namespace chorus::checkpoint

// Whether two tensors hold the same bytes, element for element, wherever they lie. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace chorus::checkpoint {

// Views without their type, as Tensor and OtherTensor have them.
struct ElementView {
  const std::vector<std::int64_t>& shape;
  const std::vector<std::int64_t>& strides;  // in elements
  std::span<const std::byte> data;
  std::size_t element_size;  // bytes
};

bool same_elements(const ElementView& left, const ElementView& right);

}  // namespace chorus::checkpoint

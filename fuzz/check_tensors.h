// What must hold of every tensor that a reader lets out: all its elements lie inside its data.
#pragma once

#include <cstdlib>

#include "checkpoint/raw.h"

namespace chorus::fuzz {

inline void check_view(const std::vector<std::int64_t>& shape,
                       const std::vector<std::int64_t>& strides, std::span<const std::byte> data,
                       std::size_t element_size) {
  if (shape.size() != strides.size()) std::abort();
  std::size_t last = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return;
    last += static_cast<std::size_t>((shape[i] - 1) * strides[i]);
  }
  std::size_t end = (last + 1) * element_size;
  if (end > data.size()) std::abort();
  // Where a sanitizer sees a read outside of the file.
  volatile std::byte touched = data[0];
  touched = data[end - 1];
  static_cast<void>(touched);
}

inline void check_tensors(const checkpoint::RawCheckpoint& raw) {
  for (const auto& [name, tensor] : raw.tensors) {
    check_view(tensor.shape, tensor.strides, tensor.data, block_bytes(tensor.dtype));
  }
  for (const auto& [name, tensor] : raw.other_tensors) {
    if (tensor.is_f64) check_view(tensor.shape, tensor.strides, tensor.data, sizeof(double));
  }
}

}  // namespace chorus::fuzz

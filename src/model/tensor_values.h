// The values of a checkpoint's tensors as floats, whatever their format and order in the file.
// Pure functions; any thread.
#pragma once

#include "checkpoint/checkpoint.h"
#include "core/aligned_buffer.h"

namespace chorus::model {

// `count` elements of `format` from `at`, `stride` bytes apart, widened to f32.
void read_run(NumberFormat format, const std::byte* at, std::size_t stride, std::size_t count,
              float* out);

// Row n of a matrix, widened to f32.
void read_row(const checkpoint::Tensor& matrix, std::size_t n, float* out);

// All elements of a tensor, row-major, widened to f32.
AlignedBuffer<float> widen(const checkpoint::Tensor& tensor);

}  // namespace chorus::model

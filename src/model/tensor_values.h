// The values of a checkpoint's tensors as floats, whatever their format and order in the file.
// Pure functions; any thread.
#pragma once

#include "checkpoint/checkpoint.h"
#include "core/aligned_buffer.h"
#include "core/thread_team.h"

namespace chorus::model {

// Elements of row n of a matrix, those of a range of its columns, widened to f32: out[their number].
void read_row(const checkpoint::Tensor& matrix, std::size_t n, Range columns, float* out);

// All elements of a tensor, row-major, widened to f32.
AlignedBuffer<float> widen(const checkpoint::Tensor& tensor);

}  // namespace chorus::model

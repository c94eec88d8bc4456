// The buffers of a forward step. They grow to what the largest step so far has needed, and are kept
// from one step to the next.
//
// Thread contract: belongs to one step at a time; its members write what their work is.
#pragma once

#include <vector>

#include "core/aligned_buffer.h"
#include "core/work_stealing.h"
#include "model/packed_matrix.h"

namespace chorus::model {

template <class T>
void grow(AlignedBuffer<T>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer = AlignedBuffer<T>(size);
}

// Rows of floats, padded to whole panels and one cache line more: rows whose distance is a multiple of
// 4 KiB meet in a few sets of the first-level cache and put each other out.
class RowBuffer {
 public:
  // Makes room; contents are unspecified. Throws std::bad_alloc.
  void resize(std::size_t rows, std::size_t columns) {
    stride_ = kernels::padded(columns) + kCacheLine / sizeof(float);
    grow(values_, rows * stride_);
  }
  float* row(std::size_t i) { return values_.data() + i * stride_; }
  std::size_t stride() const { return stride_; }

 private:
  static constexpr std::size_t kCacheLine = 64;
  AlignedBuffer<float> values_;
  std::size_t stride_ = 0;
};

// Rows that are multiplied by matrices.
class MatrixInputBuffer {
 public:
  // `group_bytes` of a row, for matrices that compute in groups.
  void resize(std::size_t rows, std::size_t columns, std::size_t group_bytes) {
    values_.resize(rows, columns);
    grow(groups_, rows * group_bytes);
    grow(row_factors_, rows);
  }
  float* row(std::size_t i) { return values_.row(i); }
  MatrixInput input() {
    return {values_.row(0), values_.stride(), groups_.data(), row_factors_.data()};
  }

 private:
  RowBuffer values_;
  AlignedBuffer<std::byte> groups_;
  AlignedBuffer<float> row_factors_;
};

// R rows of a step; see model.h for the other dimensions.
struct Workspace {
  RowBuffer residual;              // [R][C]
  MatrixInputBuffer normalised;    // [R][C]: what a norm or attention has made of the rows
  RowBuffer qkv;                   // [R][queries, keys and values of all heads]
  RowBuffer projected;             // [R][C]
  MatrixInputBuffer inner;         // [R][F]
  AlignedBuffer<float> attention;  // scratch of each member
  RowBuffer logits;                // [rows that get logits][V]
  std::vector<Phase> phases;       // of the step that uses it
};

}  // namespace chorus::model

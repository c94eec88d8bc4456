#include "model/tensor_values.h"

#include "checkpoint/element.h"

namespace chorus::model {
namespace {

using checkpoint::Tensor;

// The compiler makes vector code of the first loop.
template <NumberFormat format>
void read_run_of(const std::byte* at, std::size_t stride, std::size_t count, float* out) {
  constexpr std::size_t kSize = block_bytes(format);
  if (stride == kSize) {
    for (std::size_t i = 0; i < count; ++i)
      out[i] = checkpoint::load_element(format, at + i * kSize);
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = checkpoint::load_element(format, at + i * stride);
    }
  }
}

// `count` elements from `at`, `stride` bytes apart.
void read_run(NumberFormat format, const std::byte* at, std::size_t stride, std::size_t count,
              float* out) {
  switch (format) {
    case NumberFormat::kF32:
      return read_run_of<NumberFormat::kF32>(at, stride, count, out);
    case NumberFormat::kF16:
      return read_run_of<NumberFormat::kF16>(at, stride, count, out);
    default:
      return read_run_of<NumberFormat::kBf16>(at, stride, count, out);
  }
}

}  // namespace

void read_row(const Tensor& matrix, std::size_t n, Range columns, float* out) {
  std::size_t element = block_bytes(matrix.dtype);
  std::size_t row = n * static_cast<std::size_t>(matrix.strides[0]) * element;
  std::size_t stride = static_cast<std::size_t>(matrix.strides[1]) * element;
  read_run(matrix.dtype, matrix.data.data() + row + columns.begin * stride, stride,
           columns.end - columns.begin, out);
}

AlignedBuffer<float> widen(const Tensor& tensor) {
  AlignedBuffer<float> values(static_cast<std::size_t>(tensor.element_count()));
  std::size_t element = block_bytes(tensor.dtype);
  std::size_t columns = static_cast<std::size_t>(tensor.shape.back());
  std::size_t column_stride = static_cast<std::size_t>(tensor.strides.back()) * element;
  std::size_t rows = columns == 0 ? 0 : values.size() / columns;
  std::size_t row_stride =
      tensor.shape.size() == 2 ? static_cast<std::size_t>(tensor.strides[0]) * element : 0;
  for (std::size_t row = 0; row < rows; ++row) {
    read_run(tensor.dtype, tensor.data.data() + row * row_stride, column_stride, columns,
             values.data() + row * columns);
  }
  return values;
}

}  // namespace chorus::model

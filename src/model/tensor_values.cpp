#include "model/tensor_values.h"

#include <cassert>
#include <cstring>

#include "core/half.h"

namespace chorus::model {
namespace {

using checkpoint::Tensor;

float load(NumberFormat dtype, const std::byte* at) {
  if (dtype == NumberFormat::kF32) {
    float value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof(bits));
  return dtype == NumberFormat::kBf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
}

}  // namespace

void read_run(NumberFormat dtype, const std::byte* at, std::size_t stride, std::size_t count,
              float* out) {
  if (dtype == NumberFormat::kF32 && stride == sizeof(float)) {
    std::memcpy(out, at, count * sizeof(float));
    return;
  }
  for (std::size_t i = 0; i < count; ++i) out[i] = load(dtype, at + i * stride);
}

void read_row(const Tensor& matrix, std::size_t n, float* out) {
  std::size_t element = block_bytes(matrix.dtype);
  read_run(matrix.dtype,
           matrix.data.data() + n * static_cast<std::size_t>(matrix.strides[0]) * element,
           static_cast<std::size_t>(matrix.strides[1]) * element,
           static_cast<std::size_t>(matrix.shape[1]), out);
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

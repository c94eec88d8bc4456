#include "model/packed_matrix.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "checkpoint/safetensors/quantised.h"
#include "core/half.h"

namespace chorus::model {
namespace {

using checkpoint::QuantisedMatrix;
using checkpoint::Tensor;
using kernels::kGroup;
using kernels::kPanelWidth;

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

// `count` elements from `at`, `stride` bytes apart.
void load_run(NumberFormat dtype, const std::byte* at, std::size_t stride, std::size_t count,
              float* out) {
  if (dtype == NumberFormat::kF32 && stride == sizeof(float)) {
    std::memcpy(out, at, count * sizeof(float));
    return;
  }
  for (std::size_t i = 0; i < count; ++i) out[i] = load(dtype, at + i * stride);
}

// Widened, with zeros up to whole panels.
AlignedBuffer<float> padded_vector(const Tensor& vector) {
  AlignedBuffer<float> values = widen(vector);
  AlignedBuffer<float> result(padded(values.size()));
  std::copy_n(values.data(), values.size(), result.data());
  return result;
}

}  // namespace

PackedMatrix::PackedMatrix(const Tensor& weight, const Tensor* bias, NumberFormat type,
                           ThreadTeam& team)
    : outputs_(static_cast<std::size_t>(weight.shape[0])),
      inputs_(static_cast<std::size_t>(weight.shape[1])),
      type_(type) {
  assert(type == NumberFormat::kF32 || type == NumberFormat::kBf16);
  std::size_t count = padded(outputs_) * inputs_;
  if (type == NumberFormat::kF32) {
    f32_ = AlignedBuffer<float>(count);
  } else {
    bf16_ = AlignedBuffer<std::uint16_t>(count);
  }
  if (bias != nullptr) bias_ = padded_vector(*bias);
  team.run([&](ThreadTeam::Member& member) {
    Range range = member.share(panels());
    for (std::size_t panel = range.begin; panel < range.end; ++panel) pack_panel(weight, panel);
  });
}

PackedMatrix::PackedMatrix(const QuantisedMatrix& weight, const Tensor* bias)
    : outputs_(static_cast<std::size_t>(weight.outputs)),
      inputs_(static_cast<std::size_t>(weight.inputs)),
      type_(weight.type),
      integers_(reinterpret_cast<const std::uint8_t*>(weight.weights.data()),
                weight.weights.size()),
      groups_(static_cast<std::size_t>(weight.groups)),
      scales_(reinterpret_cast<const std::uint16_t*>(weight.scales.data()),
              weight.scales.size() / sizeof(std::uint16_t)) {
  if (bias != nullptr) bias_ = padded_vector(*bias);
  if (weight.common) {
    AlignedBuffer<float> values = widen(*weight.common);
    common_ = AlignedBuffer<float>(inputs_ * kPanelWidth);
    for (std::size_t k = 0; k < inputs_; ++k) common_[k * kPanelWidth] = values[k];
    bias_ = padded_vector(*weight.shares);
  }
}

// Reads runs along whichever axis lies closer together in the file.
void PackedMatrix::pack_panel(const Tensor& weight, std::size_t panel) {
  std::size_t element = block_bytes(weight.dtype);
  std::size_t row_stride = static_cast<std::size_t>(weight.strides[0]) * element;
  std::size_t column_stride = static_cast<std::size_t>(weight.strides[1]) * element;
  std::size_t first = panel * kPanelWidth;
  std::size_t lanes = std::min(kPanelWidth, outputs_ - first);
  const std::byte* source = weight.data.data() + first * row_stride;
  std::size_t base = panel * inputs_ * kPanelWidth;
  auto put = [&](std::size_t k, std::size_t lane, float value) {
    std::size_t at = base + k * kPanelWidth + lane;
    if (type_ == NumberFormat::kF32) {
      f32_[at] = value;
    } else {
      bf16_[at] = f32_to_bf16(value);
    }
  };
  if (row_stride < column_stride) {
    float run[kPanelWidth];
    for (std::size_t k = 0; k < inputs_; ++k) {
      load_run(weight.dtype, source + k * column_stride, row_stride, lanes, run);
      for (std::size_t lane = 0; lane < lanes; ++lane) put(k, lane, run[lane]);
    }
    return;
  }
  constexpr std::size_t kRun = 64;  // inputs at a time: the panel's cache lines are met once
  float runs[kPanelWidth][kRun];
  for (std::size_t begin = 0; begin < inputs_; begin += kRun) {
    std::size_t count = std::min(kRun, inputs_ - begin);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      load_run(weight.dtype, source + lane * row_stride + begin * column_stride, column_stride,
               count, runs[lane]);
    }
    for (std::size_t k = 0; k < count; ++k) {
      for (std::size_t lane = 0; lane < lanes; ++lane) put(begin + k, lane, runs[lane][k]);
    }
  }
}

std::int32_t PackedMatrix::offset() const {
  return type_ == NumberFormat::kInt8 ? kernels::kInt8Offset : kernels::kInt4Offset;
}

std::size_t PackedMatrix::bytes() const {
  return (f32_.size() + bias_.size() + common_.size()) * sizeof(float) +
         (bf16_.size() + scales_.size()) * sizeof(std::uint16_t) + integers_.size();
}

void PackedMatrix::multiply(const kernels::Kernels& kernels, Range panels, const float* x,
                            std::size_t x_stride, std::size_t rows, float* out,
                            std::size_t out_stride) const {
  if (panels.begin == panels.end) return;
  std::size_t panel_stride = inputs_ * kPanelWidth;
  std::size_t first = panels.begin * panel_stride;
  bool f32 = type_ == NumberFormat::kF32;
  std::size_t output = panels.begin * kPanelWidth;
  kernels::MatmulArgs args{
      .x = x,
      .x_stride = x_stride,
      .rows = rows,
      .k = inputs_,
      .weights = f32 ? static_cast<const void*>(f32_.data() + first)
                     : static_cast<const void*>(bf16_.data() + first),
      .panel_stride = panel_stride,
      .panels = panels.end - panels.begin,
      .bias = bias_.size() > 0 ? bias_.data() + output : nullptr,
      .accumulate = false,
      .out = out + output,
      .out_stride = out_stride,
  };
  (f32 ? kernels.matmul_f32 : kernels.matmul_bf16)(args);
}

void PackedMatrix::multiply(const kernels::Kernels& kernels, Range panels,
                            const kernels::ActivationGroup* x, const float* row_factors,
                            std::size_t rows, float* out, std::size_t out_stride) const {
  if (panels.begin == panels.end) return;
  bool int8 = type_ == NumberFormat::kInt8;
  std::size_t group_bytes = int8 ? kernels::kInt8GroupBytes : kernels::kInt4GroupBytes;
  std::size_t output = panels.begin * kPanelWidth;
  kernels::IntegerMatmulArgs args{
      .x = x,
      .rows = rows,
      .groups = groups_,
      .weights = integers_.data() + panels.begin * groups_ * group_bytes,
      .scales = scales_.data() + panels.begin * groups_ * kPanelWidth,
      .panels = panels.end - panels.begin,
      .bias = bias_.size() > 0 ? bias_.data() + output : nullptr,
      .row_factor = has_common_part() ? row_factors : nullptr,
      .out = out + output,
      .out_stride = out_stride,
  };
  (int8 ? kernels.matmul_int8 : kernels.matmul_int4)(args);
}

float PackedMatrix::row_factor(const kernels::Kernels& kernels, const float* x) const {
  float products[kPanelWidth];
  kernels.matmul_f32({.x = x,
                      .x_stride = inputs_,
                      .rows = 1,
                      .k = inputs_,
                      .weights = common_.data(),
                      .panel_stride = common_.size(),
                      .panels = 1,
                      .bias = nullptr,
                      .accumulate = false,
                      .out = products,
                      .out_stride = kPanelWidth});
  return products[0];
}

void PackedMatrix::read_row(std::size_t n, float* out) const {
  std::size_t panel = n / kPanelWidth, lane = n % kPanelWidth;
  if (is_quantised()) return read_quantised_row(panel, lane, out);
  std::size_t at = panel * inputs_ * kPanelWidth + lane;
  for (std::size_t k = 0; k < inputs_; ++k, at += kPanelWidth) {
    out[k] = type_ == NumberFormat::kF32 ? f32_[at] : bf16_to_f32(bf16_[at]);
  }
}

void PackedMatrix::read_quantised_row(std::size_t panel, std::size_t lane, float* out) const {
  float share = has_common_part() ? bias_[panel * kPanelWidth + lane] : 0.0f;
  for (std::size_t k = 0; k < inputs_; ++k) {
    std::size_t group = panel * groups_ + k / kGroup;
    std::size_t i = k % kGroup;
    float scale = bf16_to_f32(scales_[group * kPanelWidth + lane]);
    std::int32_t integer;
    if (type_ == NumberFormat::kInt8) {
      std::size_t at = group * kernels::kInt8GroupBytes + (i / 4 * kPanelWidth + lane) * 4 + i % 4;
      integer = integers_[at] - kernels::kInt8Offset;
    } else {
      std::size_t at = group * kernels::kInt4GroupBytes + (i / 8 * kPanelWidth + lane) * 4 + i % 4;
      integer = (i % 8 < 4 ? integers_[at] & 15 : integers_[at] >> 4) - kernels::kInt4Offset;
    }
    out[k] = static_cast<float>(integer) * scale;
    if (has_common_part()) out[k] = std::fma(share, common_[k * kPanelWidth], out[k]);
  }
}

void read_row(const Tensor& matrix, std::size_t n, float* out) {
  std::size_t element = block_bytes(matrix.dtype);
  load_run(matrix.dtype,
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
    load_run(tensor.dtype, tensor.data.data() + row * row_stride, column_stride, columns,
             values.data() + row * columns);
  }
  return values;
}

}  // namespace chorus::model

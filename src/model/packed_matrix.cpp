#include "model/packed_matrix.h"

#include <algorithm>
#include <cstring>

#include "checkpoint/half.h"

namespace chorus::model {
namespace {

using checkpoint::DType;
using checkpoint::Tensor;
using kernels::kPanelWidth;

float load(DType dtype, const std::byte* at) {
  if (dtype == DType::kF32) {
    float value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof(bits));
  return dtype == DType::kBF16 ? checkpoint::bf16_to_f32(bits) : checkpoint::f16_to_f32(bits);
}

// `count` elements from `at`, `stride` bytes apart.
void load_run(DType dtype, const std::byte* at, std::size_t stride, std::size_t count, float* out) {
  if (dtype == DType::kF32 && stride == sizeof(float)) {
    std::memcpy(out, at, count * sizeof(float));
    return;
  }
  for (std::size_t i = 0; i < count; ++i) out[i] = load(dtype, at + i * stride);
}

}  // namespace

const char* weight_type_name(WeightType type) { return type == WeightType::kF32 ? "f32" : "bf16"; }

PackedMatrix::PackedMatrix(const Tensor& weight, const Tensor* bias, WeightType type,
                           ThreadTeam& team)
    : outputs_(static_cast<std::size_t>(weight.shape[0])),
      inputs_(static_cast<std::size_t>(weight.shape[1])),
      type_(type) {
  std::size_t count = padded(outputs_) * inputs_;
  if (type == WeightType::kF32) {
    f32_ = AlignedBuffer<float>(count);
  } else {
    bf16_ = AlignedBuffer<std::uint16_t>(count);
  }
  if (bias != nullptr) {
    AlignedBuffer<float> values = widen(*bias);
    bias_ = AlignedBuffer<float>(padded(outputs_));
    std::copy_n(values.data(), outputs_, bias_.data());
  }
  team.run([&](ThreadTeam::Member& member) {
    Range range = member.share(panels());
    for (std::size_t panel = range.begin; panel < range.end; ++panel) pack_panel(weight, panel);
  });
}

// Reads runs along whichever axis lies closer together in the file.
void PackedMatrix::pack_panel(const Tensor& weight, std::size_t panel) {
  std::size_t element = dtype_size(weight.dtype);
  std::size_t row_stride = static_cast<std::size_t>(weight.strides[0]) * element;
  std::size_t column_stride = static_cast<std::size_t>(weight.strides[1]) * element;
  std::size_t first = panel * kPanelWidth;
  std::size_t lanes = std::min(kPanelWidth, outputs_ - first);
  const std::byte* source = weight.data.data() + first * row_stride;
  std::size_t base = panel * inputs_ * kPanelWidth;
  auto put = [&](std::size_t k, std::size_t lane, float value) {
    std::size_t at = base + k * kPanelWidth + lane;
    if (type_ == WeightType::kF32) {
      f32_[at] = value;
    } else {
      bf16_[at] = checkpoint::f32_to_bf16(value);
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

std::size_t PackedMatrix::bytes() const {
  return f32_.size() * sizeof(float) + bf16_.size() * sizeof(std::uint16_t) +
         bias_.size() * sizeof(float);
}

void PackedMatrix::multiply(const kernels::Kernels& kernels, Range panels, const float* x,
                            std::size_t x_stride, std::size_t rows, float* out,
                            std::size_t out_stride) const {
  if (panels.begin == panels.end) return;
  std::size_t panel_stride = inputs_ * kPanelWidth;
  std::size_t first = panels.begin * panel_stride;
  bool f32 = type_ == WeightType::kF32;
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

void PackedMatrix::read_row(std::size_t n, float* out) const {
  std::size_t at = n / kPanelWidth * inputs_ * kPanelWidth + n % kPanelWidth;
  for (std::size_t k = 0; k < inputs_; ++k, at += kPanelWidth) {
    out[k] = type_ == WeightType::kF32 ? f32_[at] : checkpoint::bf16_to_f32(bf16_[at]);
  }
}

AlignedBuffer<float> widen(const Tensor& tensor) {
  AlignedBuffer<float> values(static_cast<std::size_t>(tensor.element_count()));
  std::size_t element = dtype_size(tensor.dtype);
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

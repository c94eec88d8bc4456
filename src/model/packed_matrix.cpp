#include "model/packed_matrix.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cmath>

#include "checkpoint/element.h"
#include "checkpoint/safetensors/quantised.h"
#include "core/half.h"
#include "model/panel_packing.h"

namespace chorus::model {
namespace {

using checkpoint::all_finite;
using checkpoint::QuantisedMatrix;
using checkpoint::Tensor;
using kernels::kGroup;
using kernels::kPanelWidth;

// Widened, with zeros up to whole panels.
AlignedBuffer<float> padded_vector(const Tensor& vector) {
  AlignedBuffer<float> values = widen(vector);
  AlignedBuffer<float> result(kernels::padded(values.size()));
  std::copy_n(values.data(), values.size(), result.data());
  return result;
}

// What bf16's own arithmetic counts as 0.
bool counts_as_zero(float value) { return std::fabs(value) < kernels::kBf16Zero; }

}  // namespace

PackedMatrix::PackedMatrix(const Tensor& weight, const Tensor* bias, NumberFormat type,
                           Arena& memory, ThreadTeam& team)
    : outputs_(static_cast<std::size_t>(weight.shape[0])),
      inputs_(static_cast<std::size_t>(weight.shape[1])),
      type_(type) {
  assert(type == NumberFormat::kF32 || type == NumberFormat::kBf16 ||
         type == NumberFormat::kBf16F32);
  if (type == NumberFormat::kBf16) groups_ = kernels::group_count(inputs_);
  std::size_t count = panels() * panel_size();
  if (type == NumberFormat::kF32) {
    f32_ = memory.allot<float>(count);
  } else {
    bf16_ = memory.allot<std::uint16_t>(count);
  }
  if (bias != nullptr) bias_ = padded_vector(*bias);
  if (type == NumberFormat::kBf16) {
    std::replace_if(bias_.span().begin(), bias_.span().end(), counts_as_zero, 0.0f);
  }
  std::atomic<bool> finite =
      all_finite(NumberFormat::kF32, std::as_bytes(bias_.span()).data(), bias_.size());
  team.run([&](ThreadTeam::Member& member) {
    Range range = member.share(panels());
    std::size_t first = range.begin * panel_size();
    void* place = type_ == NumberFormat::kF32 ? static_cast<void*>(f32_.data() + first)
                                              : static_cast<void*>(bf16_.data() + first);
    if (!pack_panels(weight, range, type_, place)) finite = false;
  });
  is_finite_ = finite;
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
  assert(is_quantised() && groups_ == kernels::group_count(inputs_));
  assert(scales_.size() == kernels::scale_place(groups_, panels(), 0, 0));
  assert(integers_.size() ==
         kernels::group_place(groups_, panels(), 0) *
             (type_ == NumberFormat::kInt8 ? kernels::kInt8GroupBytes : kernels::kInt4GroupBytes));
  if (bias != nullptr) bias_ = padded_vector(*bias);
  if (weight.common) {
    AlignedBuffer<float> values = widen(*weight.common);
    common_ = AlignedBuffer<float>(kernels::panel_size(inputs_));
    for (std::size_t k = 0; k < inputs_; ++k) common_[kernels::panel_place(k, 0)] = values[k];
    bias_ = padded_vector(*weight.shares);
  }
}

std::size_t PackedMatrix::panel_size() const { return float_panel_size(type_, inputs_); }

std::size_t PackedMatrix::place(std::size_t k, std::size_t lane) const {
  return type_ == NumberFormat::kBf16 ? kernels::bf16_place(k, lane)
                                      : kernels::panel_place(k, lane);
}

std::size_t PackedMatrix::bytes() const {
  return (f32_.size() + bias_.size() + common_.size()) * sizeof(float) +
         (bf16_.size() + scales_.size()) * sizeof(std::uint16_t) + integers_.size();
}

void PackedMatrix::add_memory_to(std::vector<std::span<const std::byte>>& memory) const {
  for (std::span<const std::byte> part : {std::as_bytes(f32_), std::as_bytes(bf16_),
                                          std::as_bytes(integers_), std::as_bytes(scales_)}) {
    if (!part.empty()) memory.push_back(part);
  }
}

void PackedMatrix::add_to(ContentHash& hash) const {
  hash.add(number_format_name(type_));
  hash.add_values(std::span<const float>(f32_));
  hash.add_values(std::span<const std::uint16_t>(bf16_));
  hash.add_values(integers_);
  hash.add_values(scales_);
  hash.add_values(bias_.span());
  hash.add_values(common_.span());
}

void PackedMatrix::prepare(const kernels::Kernels& kernels, const MatrixInput& input,
                           std::size_t row) const {
  prepare(kernels, input, row, {0, groups_});
  if (!has_common_part()) return;
  input.row_factors[row] = row_factor(kernels, input.values + row * input.stride);
}

void PackedMatrix::prepare(const kernels::Kernels& kernels, const MatrixInput& input,
                           std::size_t row, Range groups) const {
  groups.end = std::min(groups.end, groups_);
  if (groups.begin >= groups.end) return;
  std::size_t first = groups.begin * kGroup;
  std::size_t last = std::min(groups.end * kGroup, inputs_);
  const float* values = input.values + row * input.stride + first;
  std::byte* to = input.groups + row * row_bytes(kernels);
  if (!is_quantised()) {
    const kernels::Bf16Kernels& bf16 = kernels.matmul.bf16;
    return bf16.round(values, last - first, to + groups.begin * bf16.row_group_bytes);
  }
  std::int32_t offset = type_ == NumberFormat::kInt8 ? kernels::kInt8Offset : kernels::kInt4Offset;
  kernels.matmul.quantise(values, last - first, offset,
                          reinterpret_cast<kernels::ActivationGroup*>(to) + groups.begin);
}

std::size_t PackedMatrix::row_bytes(const kernels::Kernels& kernels) const {
  if (groups_ == 0) return 0;
  return is_quantised() ? groups_ * sizeof(kernels::ActivationGroup)
                        : kernels.matmul.bf16.row_bytes(groups_);
}

void PackedMatrix::multiply(const kernels::Kernels& kernels, Range panels, const MatrixInput& input,
                            std::size_t rows, float* out, std::size_t out_stride) const {
  assert(panels.begin <= panels.end && panels.end <= this->panels());
  assert(input.stride >= inputs_ && out_stride >= kernels::padded(outputs_));
  if (panels.begin == panels.end) return;
  if (is_quantised()) {
    multiply_integers(kernels, panels, input, rows, out, out_stride);
  } else if (type_ == NumberFormat::kBf16) {
    multiply_bf16(kernels, panels, input, rows, out, out_stride);
  } else {
    multiply_floats(kernels, panels, input, rows, out, out_stride);
  }
}

void PackedMatrix::multiply_floats(const kernels::Kernels& kernels, Range panels,
                                   const MatrixInput& input, std::size_t rows, float* out,
                                   std::size_t out_stride) const {
  std::size_t panel_stride = panel_size();
  std::size_t first = panels.begin * panel_stride;
  bool f32 = type_ == NumberFormat::kF32;
  std::size_t output = panels.begin * kPanelWidth;
  kernels::MatmulArgs args{
      .x = input.values,
      .x_stride = input.stride,
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
  (f32 ? kernels.matmul.f32 : kernels.matmul.bf16_f32)(args);
}

void PackedMatrix::multiply_bf16(const kernels::Kernels& kernels, Range panels,
                                 const MatrixInput& input, std::size_t rows, float* out,
                                 std::size_t out_stride) const {
  std::size_t output = panels.begin * kPanelWidth;
  kernels.matmul.bf16.matmul({.x = input.groups,
                              .x_stride = row_bytes(kernels),
                              .rows = rows,
                              .groups = groups_,
                              .weights = bf16_.data() + panels.begin * panel_size(),
                              .panels = panels.end - panels.begin,
                              .bias = bias_.size() > 0 ? bias_.data() + output : nullptr,
                              .out = out + output,
                              .out_stride = out_stride});
}

void PackedMatrix::multiply_integers(const kernels::Kernels& kernels, Range panels,
                                     const MatrixInput& input, std::size_t rows, float* out,
                                     std::size_t out_stride) const {
  bool int8 = type_ == NumberFormat::kInt8;
  std::size_t group_bytes = int8 ? kernels::kInt8GroupBytes : kernels::kInt4GroupBytes;
  std::size_t output = panels.begin * kPanelWidth;
  kernels::IntegerMatmulArgs args{
      .x = reinterpret_cast<const kernels::ActivationGroup*>(input.groups),
      .rows = rows,
      .groups = groups_,
      .weights = integers_.data() + kernels::group_place(groups_, panels.begin, 0) * group_bytes,
      .scales = scales_.data() + kernels::scale_place(groups_, panels.begin, 0, 0),
      .panels = panels.end - panels.begin,
      .bias = bias_.size() > 0 ? bias_.data() + output : nullptr,
      .row_factor = has_common_part() ? input.row_factors : nullptr,
      .out = out + output,
      .out_stride = out_stride,
  };
  (int8 ? kernels.matmul.int8 : kernels.matmul.int4)(args);
}

float PackedMatrix::row_factor(const kernels::Kernels& kernels, const float* x) const {
  float products[kPanelWidth];
  kernels.matmul.f32({.x = x,
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
  assert(n < outputs_);
  std::size_t panel = n / kPanelWidth, lane = n % kPanelWidth;
  if (is_quantised()) return read_quantised_row(panel, lane, out);
  for (std::size_t k = 0; k < inputs_; ++k) {
    std::size_t at = panel * panel_size() + place(k, lane);
    out[k] = type_ == NumberFormat::kF32 ? f32_[at] : bf16_to_f32(bf16_[at]);
  }
}

void PackedMatrix::read_quantised_row(std::size_t panel, std::size_t lane, float* out) const {
  bool int8 = type_ == NumberFormat::kInt8;
  float share = has_common_part() ? bias_[panel * kPanelWidth + lane] : 0.0f;
  for (std::size_t k = 0; k < inputs_; ++k) {
    std::size_t g = kernels::group_place(groups_, panel, k / kGroup);
    float scale = bf16_to_f32(scales_[kernels::scale_place(groups_, panel, k / kGroup, lane)]);
    std::int32_t integer =
        int8 ? kernels::int8_weight(&integers_[g * kernels::kInt8GroupBytes], k % kGroup, lane)
             : kernels::int4_weight(&integers_[g * kernels::kInt4GroupBytes], k % kGroup, lane);
    out[k] = static_cast<float>(integer) * scale;
    if (has_common_part()) out[k] = std::fma(share, common_[kernels::panel_place(k, 0)], out[k]);
  }
}

}  // namespace chorus::model

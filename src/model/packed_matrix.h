// The weights of one linear layer as the kernels read them: panels of 32 outputs (kernels.h), in
// f32 or bf16. Immutable once packed.
#pragma once

#include <cstdint>

#include "checkpoint/checkpoint.h"
#include "core/aligned_buffer.h"
#include "core/thread_team.h"
#include "kernels/kernels.h"

namespace chorus::model {

enum class WeightType { kF32, kBf16 };
const char* weight_type_name(WeightType type);  // "f32", "bf16"

inline std::size_t padded(std::size_t n) {
  return (n + kernels::kPanelWidth - 1) / kernels::kPanelWidth * kernels::kPanelWidth;
}

class PackedMatrix {
 public:
  PackedMatrix() = default;

  // From `weight` [N, K] of any element type and strides, and `bias` [N] or null.
  PackedMatrix(const checkpoint::Tensor& weight, const checkpoint::Tensor* bias, WeightType type,
               ThreadTeam& team);

  std::size_t outputs() const { return outputs_; }  // N
  std::size_t inputs() const { return inputs_; }    // K
  std::size_t panels() const { return padded(outputs_) / kernels::kPanelWidth; }
  std::size_t bytes() const;

  // out[r][n] = bias[n] + chain over k, for the outputs of panels [range.begin, range.end);
  // x is [rows][x_stride], out is [rows][out_stride] with out_stride >= padded(N).
  void multiply(const kernels::Kernels& kernels, Range panels, const float* x, std::size_t x_stride,
                std::size_t rows, float* out, std::size_t out_stride) const;

  // Row n of the matrix, widened: out[K].
  void read_row(std::size_t n, float* out) const;

 private:
  void pack_panel(const checkpoint::Tensor& weight, std::size_t panel);

  std::size_t outputs_ = 0, inputs_ = 0;
  WeightType type_ = WeightType::kF32;
  AlignedBuffer<float> f32_;  // one of the two is empty
  AlignedBuffer<std::uint16_t> bf16_;
  AlignedBuffer<float> bias_;  // [padded(N)], or empty
};

// All elements of a tensor, row-major, widened to f32.
AlignedBuffer<float> widen(const checkpoint::Tensor& tensor);

}  // namespace chorus::model

// The weights of one linear layer as the kernels read them: panels of 32 outputs (kernels.h,
// integer.h). f32 and bf16 ones are packed into memory of their own; quantised ones are views of
// what lies in a file or was quantised into memory, which must outlive them. Immutable.
#pragma once

#include <cstdint>

#include "checkpoint/checkpoint.h"
#include "core/aligned_buffer.h"
#include "core/thread_team.h"
#include "kernels/kernels.h"

namespace chorus::model {

inline std::size_t padded(std::size_t n) {
  return (n + kernels::kPanelWidth - 1) / kernels::kPanelWidth * kernels::kPanelWidth;
}

class PackedMatrix {
 public:
  PackedMatrix() = default;

  // From `weight` [N, K] of any element type and strides, and `bias` [N] or null.
  PackedMatrix(const checkpoint::Tensor& weight, const checkpoint::Tensor* bias, NumberFormat type,
               ThreadTeam& team);

  // A view of `weight`, whose element order is the kernels', with `bias` [N] or null.
  PackedMatrix(const checkpoint::QuantisedMatrix& weight, const checkpoint::Tensor* bias);

  std::size_t outputs() const { return outputs_; }  // N
  std::size_t inputs() const { return inputs_; }    // K
  std::size_t panels() const { return padded(outputs_) / kernels::kPanelWidth; }
  std::size_t bytes() const;
  bool is_quantised() const { return groups_ > 0; }
  std::size_t groups() const { return groups_; }  // along K; 0 if not quantised
  std::int32_t offset() const;                    // of quantised weights as they are stored

  // out[r][n] = bias[n] + chain over k, for the outputs of panels [range.begin, range.end);
  // x is [rows][x_stride], out is [rows][out_stride] with out_stride >= padded(N).
  void multiply(const kernels::Kernels& kernels, Range panels, const float* x, std::size_t x_stride,
                std::size_t rows, float* out, std::size_t out_stride) const;

  // The same of a quantised matrix: x is [rows], quantised for offset(). row_factors
  // is [rows] of row_factor() if the matrix needs them.
  void multiply(const kernels::Kernels& kernels, Range panels, const kernels::ActivationGroup* x,
                const float* row_factors, std::size_t rows, float* out,
                std::size_t out_stride) const;

  // Whether the rows of the matrix have a part in common, outside the integers; and the product of
  // that part with x[K].
  bool has_common_part() const { return common_.size() > 0; }
  float row_factor(const kernels::Kernels& kernels, const float* x) const;

  // Row n of the matrix, widened: out[K].
  void read_row(std::size_t n, float* out) const;

 private:
  void pack_panel(const checkpoint::Tensor& weight, std::size_t panel);
  void read_quantised_row(std::size_t panel, std::size_t lane, float* out) const;

  std::size_t outputs_ = 0, inputs_ = 0;
  NumberFormat type_ = NumberFormat::kF32;
  AlignedBuffer<float> f32_;  // two of the three are empty
  AlignedBuffer<std::uint16_t> bf16_;
  std::span<const std::uint8_t> integers_;
  AlignedBuffer<float> bias_;  // [padded(N)], or empty; of a matrix with a common part, its shares

  // Of quantised matrices.
  std::size_t groups_ = 0;
  std::span<const std::uint16_t> scales_;  // [panels][groups][32] bf16
  AlignedBuffer<float> common_;            // a panel whose first output it is, [K][32]; or empty
};

// Row n of a matrix, widened to f32.
void read_row(const checkpoint::Tensor& matrix, std::size_t n, float* out);

// All elements of a tensor, row-major, widened to f32.
AlignedBuffer<float> widen(const checkpoint::Tensor& tensor);

}  // namespace chorus::model

// The weights of one linear layer as the kernels read them: panels (kernels/panels.h). f32 and bf16
// ones are packed into an arena; quantised ones are views of what lies in a file or was copied or
// quantised into memory. Either must outlive them. Immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "core/aligned_buffer.h"
#include "core/arena.h"
#include "core/content_hash.h"
#include "core/thread_team.h"
#include "kernels/kernels.h"
#include "model/tensor_values.h"

namespace chorus::model {

// The rows that a matrix multiplies: floats and, beside them, what a matrix that computes in groups
// makes of them.
struct MatrixInput {
  float* values;  // [rows][stride]
  std::size_t stride;
  std::byte* groups;   // [rows], each of row_bytes() of the matrix; null if no matrix has groups
  float* row_factors;  // [rows]
};

class PackedMatrix {
 public:
  PackedMatrix() = default;

  // From `weight` [N, K] of any element type and strides, and `bias` [N] or null, into `memory`.
  PackedMatrix(const checkpoint::Tensor& weight, const checkpoint::Tensor* bias, NumberFormat type,
               Arena& memory, ThreadTeam& team);

  // A view of `weight`, whose element order is the kernels', with `bias` [N] or null.
  PackedMatrix(const checkpoint::QuantisedMatrix& weight, const checkpoint::Tensor* bias);

  std::size_t outputs() const { return outputs_; }  // N
  std::size_t inputs() const { return inputs_; }    // K
  std::size_t panels() const { return kernels::panel_count(outputs_); }
  std::size_t bytes() const;
  // Adds where its weights lie, with their scales.
  void add_memory_to(std::vector<std::span<const std::byte>>& memory) const;
  bool is_finite() const { return is_finite_; }  // no NaN or infinity; of floats alone
  void add_to(ContentHash& hash) const;
  bool is_quantised() const { return chorus::is_quantised(type_); }
  std::size_t groups() const { return groups_; }  // along K; 0 of f32 and bf16-f32
  // Of what prepare() makes of one row; 0 of f32 and bf16-f32.
  std::size_t row_bytes(const kernels::Kernels& kernels) const;

  // Makes of row `row` what multiply() needs beside the floats: nothing, if the matrix has no
  // groups. The whole row, or the groups of a range alone, which may reach beyond the row.
  void prepare(const kernels::Kernels& kernels, const MatrixInput& input, std::size_t row) const;
  void prepare(const kernels::Kernels& kernels, const MatrixInput& input, std::size_t row,
               Range groups) const;

  // out[r][n] = bias[n] + sum over k, ascending, for the outputs of panels [begin, end) and the
  // first `rows` rows, which are prepared. out is [rows][out_stride], out_stride >= padded(N).
  void multiply(const kernels::Kernels& kernels, Range panels, const MatrixInput& input,
                std::size_t rows, float* out, std::size_t out_stride) const;

  // Row n of the matrix, widened: out[K].
  void read_row(std::size_t n, float* out) const;

 private:
  void multiply_floats(const kernels::Kernels& kernels, Range panels, const MatrixInput& input,
                       std::size_t rows, float* out, std::size_t out_stride) const;
  void multiply_bf16(const kernels::Kernels& kernels, Range panels, const MatrixInput& input,
                     std::size_t rows, float* out, std::size_t out_stride) const;
  void multiply_integers(const kernels::Kernels& kernels, Range panels, const MatrixInput& input,
                         std::size_t rows, float* out, std::size_t out_stride) const;
  // Whether the rows of the matrix have a part in common, outside the integers; and the product of
  // that part with x[K].
  bool has_common_part() const { return common_.size() > 0; }
  float row_factor(const kernels::Kernels& kernels, const float* x) const;
  void read_quantised_row(std::size_t panel, std::size_t lane, float* out) const;

  std::size_t panel_size() const;                            // of f32 and bf16, in elements
  std::size_t place(std::size_t k, std::size_t lane) const;  // in a panel, the same

  std::size_t outputs_ = 0, inputs_ = 0;
  NumberFormat type_ = NumberFormat::kF32;
  bool is_finite_ = true;
  std::span<float> f32_;  // two of the three are empty
  std::span<std::uint16_t> bf16_;
  std::span<const std::uint8_t> integers_;
  AlignedBuffer<float> bias_;  // [padded(N)], or empty; of a matrix with a common part, its shares

  std::size_t groups_ = 0;

  // Of quantised matrices.
  std::span<const std::uint16_t> scales_;  // [panels][groups][32] bf16
  AlignedBuffer<float> common_;            // a panel whose first output it is, [K][32]; or empty
};

}  // namespace chorus::model

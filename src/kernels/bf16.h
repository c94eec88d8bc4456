// Products in bf16's own arithmetic: what its kernels read and what they compute. Plain data;
// docs/numerics.md says why every instruction set can return the same bits, and kernels/panels.h
// where the weights lie.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/panels.h"

namespace chorus::kernels {

// A number under this in magnitude counts as 0, so that nothing subnormal arises.
inline constexpr float kBf16Zero = 0x1p-50f;

// out[r][n] is made of `start` by adding for each group of 32 inputs, ascending,
//   (the chain of fused multiply-adds from 0 over the group's even inputs, ascending) +
//   (that over its odd inputs)
// of x[r][k] * w[n][k], all in f32; `start` is bias[n], or 0 when bias is null. Weights and x are
// bf16, and neither these nor the bias are under kBf16Zero but 0. All kPanelWidth outputs of a panel
// are written.
struct Bf16MatmulArgs {
  const std::byte* x;    // [rows][groups], by Bf16Kernels::round of the same table
  std::size_t x_stride;  // bytes between rows
  std::size_t rows;
  std::size_t groups;            // along K
  const std::uint16_t* weights;  // first panel
  std::size_t panels;
  const float* bias;  // [panels * 32] or null
  float* out;         // [rows][out_stride]
  std::size_t out_stride;
};

struct Bf16Kernels {
  // One row x[k] into ceil(k / kGroup) groups of `row_group_bytes` each, in a form that only the
  // same table's `matmul` knows: rounded to bf16 (nearest, ties to even), then 0 if under kBf16Zero
  // in magnitude; 0 beyond k.
  void (*round)(const float* x, std::size_t k, std::byte* out);
  std::size_t row_group_bytes;
  // Bytes from one row to the next: an odd number of cache lines, so that many rows' parts of a slice
  // of K do not share a few sets of the first-level cache.
  [[gnu::always_inline]] std::size_t row_bytes(std::size_t groups) const {
    return ((groups * row_group_bytes / 64) | 1) * 64;
  }
  void (*matmul)(const Bf16MatmulArgs& args);
};

}  // namespace chorus::kernels

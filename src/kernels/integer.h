// Quantised matrices and rows: what the integer kernels read. Weights and activations are small
// integers in groups along K, with one scale for each group; a product of groups is an exact
// integer, whatever instruction makes it. Plain data; docs/numerics.md says what the scheme costs
// in quality, and kernels/panels.h where the weights lie.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/panels.h"

namespace chorus::kernels {

// A group of activations, all of it in one place: the kernels walk many rows at once, and a pointer
// for each is what registers there are for. Values beyond a row's K are 0.
struct ActivationGroup {
  std::int8_t values[kGroup];  // in [-127, 127]
  float scale;
  std::int32_t start;  // minus the weights' offset, times the sum of the values
};

// out[r][n] = start + sum over groups g, ascending, of the fused multiply-adds of
//   float(sum over the group's k of x[r][k] * w[n][k]) and weight_scale[n][g] * x_scale[r][g],
// the sum in parentheses exact, the product of the scales rounded to f32; `start` is bias[n], times
// row_factor[r] if there is one, or 0 when bias is null. Whatever bytes the weights are, nothing
// overflows. All kPanelWidth outputs of a panel are written.
struct IntegerMatmulArgs {
  const ActivationGroup* x;  // [rows][groups], for the offset of these weights
  std::size_t rows;
  std::size_t groups;           // along K
  const std::uint8_t* weights;  // first panel
  const std::uint16_t* scales;  // of the first panel
  std::size_t panels;
  const float* bias;        // [panels * 32] or null
  const float* row_factor;  // [rows] or null
  float* out;               // [rows][out_stride]
  std::size_t out_stride;
};

}  // namespace chorus::kernels

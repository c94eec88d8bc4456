// Quantised matrices and rows: what the integer kernels read. Weights and activations are small
// integers in groups along K, with one scale for each group; a product of groups is an exact
// integer, whatever instruction makes it. Plain data; docs/numerics.md says what the scheme costs
// in quality.
//
// Layout: a weight matrix [N outputs, K inputs] is packed into panels of kPanelWidth outputs, K
// padded to whole groups with zero weights. A panel holds its groups in order; of each group
//   int8: [32 / 4][32 outputs][4 inputs] bytes, weight + 128
//   int4: [32 / 8][32 outputs][4] bytes, weight + 8 of input i in the low half of byte i and of
//         input i + 4 in the high half
// The scales are bf16 bits apart from them, [panels][groups][32].
#pragma once

#include <cstddef>
#include <cstdint>

namespace chorus::kernels {

inline constexpr std::size_t kPanelWidth = 32;

inline constexpr std::size_t kGroup = 32;  // inputs that share a scale
inline constexpr std::int32_t kInt8Offset = 128;
inline constexpr std::int32_t kInt4Offset = 8;
inline constexpr std::size_t kInt8GroupBytes = kGroup * kPanelWidth;      // of a panel
inline constexpr std::size_t kInt4GroupBytes = kGroup * kPanelWidth / 2;  // of a panel

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

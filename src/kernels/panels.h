// How matrices lie in memory for the kernels: the sizes, strides and places of everything that is
// packed into panels. A panel is the weights of kPanelWidth outputs, so that vector lanes run over
// outputs; a matrix [N outputs, K inputs] is ceil(N / 32) panels, one after the other, and outputs
// from N on are padding.
//
//   f32, bf16_f32  a panel is [K inputs][32 outputs]; padding is 0
//   bf16       a panel is its groups of 32 inputs, one after the other, K padded to whole groups
//              with zeros; a group is [32 / 2][32 outputs][2 inputs]
//   int8       a panel is its groups of 32 inputs, one after the other, K padded to whole groups
//              with zero weights; a group is [32 / 4][32 outputs][4 inputs] bytes, weight + 128
//   int4       the same, but a group is [32 / 8][32 outputs][4] bytes: weight + 8 of input i in the
//              low half of byte i, and of input i + 4 in the high half
//   scales     of int8 and int4, apart from the weights: [panels][groups][32 outputs] of bf16
//
// Cached keys and values are panels, too, so that attention is two products of matrices. A page
// holds kPanelWidth positions of one sequence; for each layer and head
//   keys       one panel, whose outputs are the positions: [head size][32 positions]
//   values     panels whose inputs are the positions: [ceil(head size / 32)][32 positions][32]
// which model/kv_pages.h places in a page.
//
// Everything here is a constant or always inlined, since files that are built for one instruction
// set include it, too: no copy of a function may be shared between them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace chorus::kernels {

inline constexpr std::size_t kPanelWidth = 32;
inline constexpr std::size_t kGroup = 32;  // inputs that share a scale, or are summed up apart
inline constexpr std::int32_t kInt8Offset = 128;
inline constexpr std::int32_t kInt4Offset = 8;

// A pass is what a kernel reads of a group at a time: four bytes of each output.
inline constexpr std::size_t kPassBytes = kPanelWidth * 4;
inline constexpr std::size_t kInt8PassInputs = 4;
inline constexpr std::size_t kInt4PassInputs = 8;
inline constexpr std::size_t kInt8Passes = kGroup / kInt8PassInputs;  // of a group
inline constexpr std::size_t kInt4Passes = kGroup / kInt4PassInputs;
inline constexpr std::size_t kInt8GroupBytes = kInt8Passes * kPassBytes;  // of a panel
inline constexpr std::size_t kInt4GroupBytes = kInt4Passes * kPassBytes;

#define CHORUS_INLINE [[gnu::always_inline]] inline constexpr

// Panels of n outputs; the outputs with their padding; groups of n inputs.
CHORUS_INLINE std::size_t panel_count(std::size_t n) { return (n + kPanelWidth - 1) / kPanelWidth; }
CHORUS_INLINE std::size_t padded(std::size_t n) { return panel_count(n) * kPanelWidth; }
CHORUS_INLINE std::size_t group_count(std::size_t n) { return (n + kGroup - 1) / kGroup; }

// --- f32 and bf16_f32, in elements ---

CHORUS_INLINE std::size_t panel_size(std::size_t inputs) { return inputs * kPanelWidth; }
// Of a panel: input k, output `lane` of its 32.
CHORUS_INLINE std::size_t panel_place(std::size_t k, std::size_t lane) {
  return k * kPanelWidth + lane;
}

// --- bf16, in elements ---

CHORUS_INLINE std::size_t bf16_panel_size(std::size_t groups) {
  return groups * kGroup * kPanelWidth;
}
// Of a panel: input k, output `lane` of its 32.
CHORUS_INLINE std::size_t bf16_place(std::size_t k, std::size_t lane) {
  return k / 2 * (2 * kPanelWidth) + lane * 2 + k % 2;
}

// --- int8 and int4 ---

// Of the scales of a matrix of `groups` groups; a group of weights stands at the same place, counted
// in groups instead of rows of 32 scales.
CHORUS_INLINE std::size_t group_place(std::size_t groups, std::size_t panel, std::size_t group) {
  return panel * groups + group;
}
CHORUS_INLINE std::size_t scale_place(std::size_t groups, std::size_t panel, std::size_t group,
                                      std::size_t lane) {
  return group_place(groups, panel, group) * kPanelWidth + lane;
}

// Of a group's bytes: that of input k of 32, output `lane` of 32. Of int4 it holds two inputs.
CHORUS_INLINE std::size_t int8_place(std::size_t k, std::size_t lane) {
  return k / kInt8PassInputs * kPassBytes + lane * 4 + k % 4;
}
CHORUS_INLINE std::size_t int4_place(std::size_t k, std::size_t lane) {
  return k / kInt4PassInputs * kPassBytes + lane * 4 + k % 4;
}
CHORUS_INLINE bool int4_is_low(std::size_t k) { return k % kInt4PassInputs < 4; }

CHORUS_INLINE std::int32_t int8_weight(const std::uint8_t* group, std::size_t k, std::size_t lane) {
  return group[int8_place(k, lane)] - kInt8Offset;
}
CHORUS_INLINE std::int32_t int4_weight(const std::uint8_t* group, std::size_t k, std::size_t lane) {
  std::uint8_t both = group[int4_place(k, lane)];
  return (int4_is_low(k) ? both & 15 : both >> 4) - kInt4Offset;
}
CHORUS_INLINE void set_int8_weight(std::uint8_t* group, std::size_t k, std::size_t lane,
                                   std::int32_t weight) {
  group[int8_place(k, lane)] = static_cast<std::uint8_t>(weight + kInt8Offset);
}
CHORUS_INLINE void set_int4_weight(std::uint8_t* group, std::size_t k, std::size_t lane,
                                   std::int32_t weight) {
  std::uint8_t& both = group[int4_place(k, lane)];
  auto half = static_cast<unsigned>(weight + kInt4Offset);
  both = static_cast<std::uint8_t>(int4_is_low(k) ? (both & 0xf0u) | half
                                                  : (both & 0x0fu) | half << 4);
}

// --- pages of keys and values, in elements of one layer and head ---

CHORUS_INLINE std::size_t page_keys_size(std::size_t head_size) { return panel_size(head_size); }
CHORUS_INLINE std::size_t page_values_size(std::size_t head_size) {
  return panel_count(head_size) * panel_size(kPanelWidth);
}
// Of the keys, and of the values: channel d at the page's position `slot`.
CHORUS_INLINE std::size_t page_key_place(std::size_t d, std::size_t slot) {
  return panel_place(d, slot);
}
CHORUS_INLINE std::size_t page_value_place(std::size_t d, std::size_t slot) {
  return d / kPanelWidth * panel_size(kPanelWidth) + panel_place(slot, d % kPanelWidth);
}

#undef CHORUS_INLINE

}  // namespace chorus::kernels

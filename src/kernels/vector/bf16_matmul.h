// The products of bf16's own arithmetic, over vectors; matmul_bf16 in scalar.cpp is the definition.
// How a group's two sums are added up is left to a `Pairs` (concepts.h). Lanes run over outputs, and
// each output's sums are its own, so that no tile changes a bit.
#pragma once

#include "kernels/vector/lanes.h"

namespace chorus::kernels {
namespace {

constexpr std::size_t kPairPanelVectors = kPanelWidth / kLanes;
constexpr std::size_t kPairElements = 2 * kLanes;  // of a vector of pairs
constexpr std::size_t kPairRow = 2 * kPanelWidth;  // elements between two inputs and the next two

// How many bytes ahead of its use a panel is fetched.
constexpr std::size_t pair_prefetch(std::size_t rows) { return rows <= 3 ? 2048 : 8192; }

// Which groups of K a tile adds, and whether they are the first, which begin from the bias.
struct GroupRange {
  std::size_t begin, end;
};

// A tile: kRows rows by kVectors vectors of outputs, whose first is vector `first` of panel `panel`.
// A group's two sums of each output stay in registers.
template <class Pairs, std::size_t kRows, std::size_t kVectors>
void bf16_tile(const Bf16MatmulArgs& args, GroupRange groups, std::size_t row, std::size_t panel,
               std::size_t first) {
  constexpr std::size_t kPasses = kGroup / Pairs::kInputs;  // of a group
  std::size_t panel_size = bf16_panel_size(args.groups);
  const std::uint16_t* weights = args.weights + panel * panel_size + first * kPairElements +
                                 groups.begin * kGroup * kPanelWidth;
  std::size_t output = panel * kPanelWidth + first * kLanes;
  float* out = args.out + row * args.out_stride + output;
  std::size_t x_stride = args.x_stride;
  const std::byte* x = args.x + row * x_stride + groups.begin * Pairs::kGroupBytes;

  alignas(64) float results[kRows][kVectors][kLanes];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      Vector start = groups.begin > 0       ? Vector::load(out + r * args.out_stride + v * kLanes)
                     : args.bias != nullptr ? Vector::load(args.bias + output + v * kLanes)
                                            : Vector::zero();
      start.store(results[r][v]);
    }
  }
  for (std::size_t g = groups.begin; g < groups.end; ++g) {
    Vector even[kRows][kVectors], odd[kRows][kVectors];
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kVectors; ++v) even[r][v] = odd[r][v] = Vector::zero();
    }
#pragma GCC unroll 1
    for (std::size_t pass = 0; pass < kPasses; ++pass) {
      auto place = [weights, panel_size](std::size_t v) {
        return weights + v / kPairPanelVectors * panel_size + v % kPairPanelVectors * kPairElements;
      };
      typename Pairs::Weights w[kVectors];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        w[v] = Pairs::even(place(v));
        for (std::size_t i = 0; i < Pairs::kInputs / 2; ++i) {
          if (v * kPairElements * 2 % 64 == 0) {
            __builtin_prefetch(reinterpret_cast<const char*>(place(v) + i * kPairRow) +
                               pair_prefetch(kRows));
          }
        }
      }
#pragma GCC unroll 12
      for (std::size_t r = 0; r < kRows; ++r) {
        auto value = Pairs::activation(x + r * x_stride, 0);
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) {
          even[r][v] = Pairs::add(even[r][v], value, w[v]);
        }
      }
      // Loaded again: with 16 registers there is none to keep them in.
      if (kLanes == 8) asm volatile("" ::: "memory");
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) w[v] = Pairs::odd(place(v));
#pragma GCC unroll 12
      for (std::size_t r = 0; r < kRows; ++r) {
        auto value = Pairs::activation(x + r * x_stride, 1);
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) {
          odd[r][v] = Pairs::add(odd[r][v], value, w[v]);
        }
      }
      weights += Pairs::kInputs * kPanelWidth;
      x += Pairs::kGroupBytes / kPasses;
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kVectors; ++v) {
        (Vector::load(results[r][v]) + (even[r][v] + odd[r][v])).store(results[r][v]);
      }
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      Vector::load(results[r][v]).store(out + r * args.out_stride + v * kLanes);
    }
  }
}

// The width of a tile of `rows` rows: two sums of each output, with room for weights.
constexpr std::size_t bf16_tile_vectors(std::size_t rows) {
  if (kLanes == 16) return rows == 1 ? 8 : rows <= 3 ? 4 : 2;  // 32 registers
  return rows == 1 ? 4 : 2;                                    // 16 registers
}
constexpr std::size_t kMaxBf16Rows = kLanes == 16 ? 6 : 3;

template <class Pairs, std::size_t kRows>
void bf16_rows(const Bf16MatmulArgs& args, GroupRange groups, std::size_t row, std::size_t panel,
               std::size_t panels) {
  constexpr std::size_t kVectors = bf16_tile_vectors(kRows);
  constexpr std::size_t kTilePanels = kVectors / kPairPanelVectors;
  if constexpr (kTilePanels > 1) {
    while (panels >= kTilePanels) {
      bf16_tile<Pairs, kRows, kVectors>(args, groups, row, panel, 0);
      panel += kTilePanels;
      panels -= kTilePanels;
    }
  }
  constexpr std::size_t kStep = kVectors < kPairPanelVectors ? kVectors : kPairPanelVectors;
  for (; panels > 0; ++panel, --panels) {
    for (std::size_t first = 0; first < kPairPanelVectors; first += kStep) {
      bf16_tile<Pairs, kRows, kStep>(args, groups, row, panel, first);
    }
  }
}

// `rows` in [1, kRows]: the template is unrolled downwards to the number wanted.
template <class Pairs, std::size_t kRows>
void bf16_some_rows(const Bf16MatmulArgs& args, GroupRange groups, std::size_t row,
                    std::size_t rows, std::size_t panel, std::size_t panels) {
  if (rows == kRows) return bf16_rows<Pairs, kRows>(args, groups, row, panel, panels);
  if constexpr (kRows > 1) bf16_some_rows<Pairs, kRows - 1>(args, groups, row, rows, panel, panels);
}

// Rows that fill several tiles go through a panel in blocks of K, which stay in the first-level
// cache for all of them; each of the tiles has as many rows as the others, or one more.
template <PairProducts<Vector> Pairs>
void matmul_bf16(const Bf16MatmulArgs& args) {
  constexpr std::size_t kBlock = 8;  // groups
  if (args.rows == 0) return;
  std::size_t tiles = (args.rows + kMaxBf16Rows - 1) / kMaxBf16Rows;
  if (tiles == 1) {
    return bf16_some_rows<Pairs, kMaxBf16Rows>(args, {0, args.groups}, 0, args.rows, 0,
                                               args.panels);
  }
  for (std::size_t panel = 0; panel < args.panels; ++panel) {
    for (std::size_t begin = 0; begin < args.groups; begin += kBlock) {
      GroupRange groups{begin, args.groups - begin < kBlock ? args.groups : begin + kBlock};
      for (std::size_t tile = 0; tile < tiles; ++tile) {
        std::size_t first = args.rows * tile / tiles;
        std::size_t end = args.rows * (tile + 1) / tiles;
        bf16_some_rows<Pairs, kMaxBf16Rows>(args, groups, first, end - first, panel, 1);
      }
    }
  }
}

}  // namespace
}  // namespace chorus::kernels

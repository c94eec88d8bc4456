// The products of f32 and bf16 matrices, over vectors; matmul in scalar.cpp is the definition. Vector
// lanes run over outputs, and each output's sum is one chain over k, so that neither the width of a
// vector nor the shape of a tile changes a bit.
#pragma once

#include "kernels/vector/lanes.h"

namespace chorus::kernels {
namespace {

constexpr std::size_t kPanelVectors = kPanelWidth / kLanes;

template <class Weight>
inline Vector load_weights(const Weight* weights);
template <>
inline Vector load_weights(const float* weights) {
  return Vector::load(weights);
}
template <>
inline Vector load_weights(const std::uint16_t* weights) {
  return Vector::widen_bf16(weights);
}

constexpr std::size_t kCacheLine = 64;

// How far ahead of its use a panel is fetched. The processor's own prefetcher begins anew at every
// page and has not caught up when many rows keep the registers busy; with one row of f32, which
// does nothing but read, it needs less help. Measured: bench/kernels_bench.cpp.
template <class Weight>
constexpr std::size_t prefetch_bytes(std::size_t rows) {
  return rows == 1 && sizeof(Weight) == 4 ? 512 : rows < 8 ? 2048 : 8192;
}

template <class Weight>
inline const Weight* panel_at(const MatmulArgs& args, std::size_t panel) {
  if (args.panel_table != nullptr) {
    return reinterpret_cast<const Weight*>(args.panel_table[panel] + args.panel_offset);
  }
  return static_cast<const Weight*>(args.weights) + panel * args.panel_stride;
}

// A tile: kRows rows by kVectors vectors of outputs, whose sums stay in registers for all of k. Its
// first output is vector `first` of panel `panel`.
template <class Weight, std::size_t kRows, std::size_t kVectors>
void matmul_tile(const MatmulArgs& args, std::size_t row, std::size_t panel, std::size_t first) {
  constexpr std::size_t kTilePanels = (kVectors + kPanelVectors - 1) / kPanelVectors;
  const Weight* weights[kTilePanels];
  for (std::size_t p = 0; p < kTilePanels; ++p) {
    weights[p] = panel_at<Weight>(args, panel + p) + first * kLanes;
  }
  const float* x = args.x + row * args.x_stride;
  std::size_t output = panel * kPanelWidth + first * kLanes;
  float* out = args.out + row * args.out_stride + output;

  Vector sums[kRows][kVectors];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      if (args.accumulate) {
        sums[r][v] = Vector::load(out + r * args.out_stride + v * kLanes);
      } else if (args.bias != nullptr) {
        sums[r][v] = Vector::load(args.bias + output + v * kLanes);
      } else {
        sums[r][v] = Vector::zero();
      }
    }
  }
  for (std::size_t k = 0; k < args.k; ++k) {
    Vector w[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      const Weight* at =
          weights[v / kPanelVectors] + k * kPanelWidth + (v % kPanelVectors) * kLanes;
      w[v] = load_weights(at);
      // Near a panel's end this is the next panel, or memory that is not ours, which does no harm.
      if (v * kLanes * sizeof(Weight) % kCacheLine == 0) {
        __builtin_prefetch(reinterpret_cast<const char*>(at) + prefetch_bytes<Weight>(kRows));
      }
    }
#pragma GCC unroll 12
    for (std::size_t r = 0; r < kRows; ++r) {
      Vector value = Vector::broadcast(x[r * args.x_stride + k]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) sums[r][v] = fma(value, w[v], sums[r][v]);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      sums[r][v].store(out + r * args.out_stride + v * kLanes);
    }
  }
}

// The width of a tile of `rows` rows: as many sums as the registers hold, with room for weights.
constexpr std::size_t tile_vectors(std::size_t rows) {
  if (kLanes == 16) return rows <= 3 ? 8 : rows <= 6 ? 4 : 2;  // 32 registers
  return rows == 1 ? 8 : rows <= 3 ? 4 : 2;                    // 16 registers
}
constexpr std::size_t kMaxTileRows = kLanes == 16 ? 12 : 6;

template <class Weight, std::size_t kRows>
void matmul_rows(const MatmulArgs& args, std::size_t row, std::size_t panel, std::size_t panels) {
  constexpr std::size_t kVectors = tile_vectors(kRows);
  constexpr std::size_t kTilePanels = kVectors / kPanelVectors;
  if constexpr (kTilePanels > 1) {
    while (panels >= kTilePanels) {
      matmul_tile<Weight, kRows, kVectors>(args, row, panel, 0);
      panel += kTilePanels;
      panels -= kTilePanels;
    }
  }
  constexpr std::size_t kStep = kVectors < kPanelVectors ? kVectors : kPanelVectors;
  for (; panels > 0; ++panel, --panels) {
    for (std::size_t first = 0; first < kPanelVectors; first += kStep) {
      matmul_tile<Weight, kRows, kStep>(args, row, panel, first);
    }
  }
}

template <class Weight>
void matmul_some_rows(const MatmulArgs& args, std::size_t row, std::size_t rows, std::size_t panel,
                      std::size_t panels) {
  switch (rows) {
    case 1:
      return matmul_rows<Weight, 1>(args, row, panel, panels);
    case 2:
      return matmul_rows<Weight, 2>(args, row, panel, panels);
    case 3:
      return matmul_rows<Weight, 3>(args, row, panel, panels);
    case 4:
      return matmul_rows<Weight, 4>(args, row, panel, panels);
    case 5:
      return matmul_rows<Weight, 5>(args, row, panel, panels);
    case 6:
      return matmul_rows<Weight, 6>(args, row, panel, panels);
    default:
      break;
  }
  if constexpr (kMaxTileRows > 6) {
    switch (rows) {
      case 7:
        return matmul_rows<Weight, 7>(args, row, panel, panels);
      case 8:
        return matmul_rows<Weight, 8>(args, row, panel, panels);
      case 9:
        return matmul_rows<Weight, 9>(args, row, panel, panels);
      case 10:
        return matmul_rows<Weight, 10>(args, row, panel, panels);
      case 11:
        return matmul_rows<Weight, 11>(args, row, panel, panels);
      default:
        return matmul_rows<Weight, 12>(args, row, panel, panels);
    }
  }
}

// Panels outside, tiles of rows inside: a panel is read from memory once and stays in the cache for
// all the rows. All tiles get as many rows, or one more.
template <class Weight>
void matmul_slice(const MatmulArgs& args) {
  std::size_t tiles = (args.rows + kMaxTileRows - 1) / kMaxTileRows;
  std::size_t group = tiles == 1 ? args.panels : 4;
  for (std::size_t panel = 0; panel < args.panels; panel += group) {
    std::size_t panels = args.panels - panel < group ? args.panels - panel : group;
    for (std::size_t tile = 0; tile < tiles; ++tile) {
      std::size_t begin = args.rows * tile / tiles;
      std::size_t end = args.rows * (tile + 1) / tiles;
      matmul_some_rows<Weight>(args, begin, end - begin, panel, panels);
    }
  }
}

// More rows than a tile's go through K in slices, so that x and the panels stay in the caches.
template <class Weight>
void matmul(const MatmulArgs& args) {
  constexpr std::size_t kSlice = 768;
  if (args.rows == 0) return;
  if (args.rows <= kMaxTileRows || args.k <= kSlice) return matmul_slice<Weight>(args);
  MatmulArgs slice = args;
  for (std::size_t k = 0; k < args.k; k += kSlice) {
    slice.k = args.k - k < kSlice ? args.k - k : kSlice;
    matmul_slice<Weight>(slice);
    slice.x += kSlice;
    if (slice.panel_table != nullptr) {
      slice.panel_offset += kSlice * kPanelWidth * sizeof(Weight);
    } else {
      slice.weights = static_cast<const Weight*>(slice.weights) + kSlice * kPanelWidth;
    }
    slice.accumulate = true;
  }
}

}  // namespace
}  // namespace chorus::kernels

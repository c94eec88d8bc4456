// The products of f32 and bf16 matrices, over vectors; matmul in scalar.cpp is the definition. Vector
// lanes run over outputs, and each output's sum is one chain over k, so that neither the width of a
// vector nor the shape of a tile changes a bit.
#pragma once

#include "kernels/vector/lanes.h"
#include "kernels/vector/prefetch.h"

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

// How far ahead of its use a panel is fetched, and into which cache, as __builtin_prefetch counts
// them. The processor's own prefetcher begins anew at every page and has not caught up when many rows
// keep the registers busy. A tile of few rows reads as fast as memory gives: it needs less help, and
// more can be under way into the second-level cache. Measured: docs/measurements.md.
constexpr bool waits_for_memory(std::size_t rows, bool is_one_of_several) {
  return rows <= 6 && !is_one_of_several;
}
constexpr std::size_t prefetch_bytes(std::size_t rows, bool is_one_of_several) {
  if (waits_for_memory(rows, is_one_of_several)) return 512;
  return rows < 8 || is_one_of_several ? 2048 : 8192;
}
constexpr int prefetch_hint(std::size_t rows, bool is_one_of_several) {
  return waits_for_memory(rows, is_one_of_several) ? 2 : 3;
}

template <class Weight>
inline const Weight* panel_at(const MatmulArgs& args, std::size_t panel) {
  if (args.panel_table != nullptr) {
    return reinterpret_cast<const Weight*>(args.panel_table[panel] + args.panel_offset);
  }
  return static_cast<const Weight*>(args.weights) + panel * args.panel_stride;
}

// A tile: kRows rows by kVectors vectors of outputs, whose sums stay in registers for all of k. Its
// first output is vector `first` of panel `panel`. One of several tiles fetches `next` for all of them.
template <class Weight, std::size_t kRows, std::size_t kVectors, bool kIsOneOfSeveral>
void matmul_tile(const MatmulArgs& args, std::size_t row, std::size_t panel, std::size_t first,
                 Prefetch& next) {
  constexpr std::size_t kTilePanels = (kVectors + kPanelVectors - 1) / kPanelVectors;
  const Weight* weights[kTilePanels];
  for (std::size_t p = 0; p < kTilePanels; ++p) {
    weights[p] = panel_at<Weight>(args, panel + p) + first * kLanes;
  }
  // A pointer for three rows: for one each there are not registers enough.
  constexpr std::size_t kPointers = (kRows + 2) / 3;
  const float* x[kPointers];
  for (std::size_t i = 0; i < kPointers; ++i) x[i] = args.x + (row + 3 * i) * args.x_stride;
  std::size_t x_stride = args.x_stride;
  constexpr int kHint = prefetch_hint(kRows, kIsOneOfSeveral);
  std::size_t ahead = prefetch_bytes(kRows, kIsOneOfSeveral);
  if (kRows == 1 && args.next_offset > 0) ahead = args.next_offset;
  Prefetch prefetch = next;
  std::size_t output = panel * kPanelWidth + first * kLanes;
  float* out = args.out + row * args.out_stride + output;

  Vector sums[kRows][kVectors];
#pragma GCC unroll 12
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
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
        __builtin_prefetch(reinterpret_cast<const char*>(at) + ahead, 0, kHint);
      }
    }
    if constexpr (kIsOneOfSeveral) prefetch.advance_at_once();
#pragma GCC unroll 12
    for (std::size_t r = 0; r < kRows; ++r) {
      Vector value = Vector::broadcast(x[r / 3][r % 3 * x_stride]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) sums[r][v] = fma(value, w[v], sums[r][v]);
    }
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kPointers; ++i) ++x[i];
  }
  next = prefetch;
#pragma GCC unroll 12
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
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
constexpr std::size_t kManyRowsVectors = tile_vectors(kMaxTileRows);
// Of a tile that is as wide as a panel, so that no other need follow it over the same one.
constexpr std::size_t kMaxOneTileRows = kLanes == 16 ? kMaxTileRows : 3;
static_assert(tile_vectors(kMaxOneTileRows) >= kPanelVectors);

// Panels from `panel` on, kVectors vectors of outputs at a time; what is left in halves of that.
template <class Weight, std::size_t kRows, std::size_t kVectors>
void matmul_panels(const MatmulArgs& args, std::size_t panel) {
  constexpr std::size_t kTilePanels = kVectors / kPanelVectors;
  Prefetch nothing(nullptr, 0);
  for (; args.panels - panel >= kTilePanels; panel += kTilePanels) {
    matmul_tile<Weight, kRows, kVectors, false>(args, 0, panel, 0, nothing);
  }
  if constexpr (kTilePanels > 1) matmul_panels<Weight, kRows, kVectors / 2>(args, panel);
}

// All rows in one tile. Templates are unrolled upwards to the number of rows that is wanted: a product of
// one row has the least to do beside this.
template <class Weight, std::size_t kRows = 1>
void matmul_one_tile(const MatmulArgs& args) {
  if (args.rows == kRows) return matmul_panels<Weight, kRows, tile_vectors(kRows)>(args, 0);
  if constexpr (kRows < kMaxOneTileRows) matmul_one_tile<Weight, kRows + 1>(args);
}

// One of several tiles, each of which has at least half of the most rows.
template <class Weight, std::size_t kRows = kMaxTileRows>
void matmul_one_of_several(const MatmulArgs& args, std::size_t row, std::size_t rows,
                           std::size_t first, Prefetch& next) {
  if (rows == kRows) {
    return matmul_tile<Weight, kRows, kManyRowsVectors, true>(args, row, 0, first, next);
  }
  if constexpr (kRows > kMaxTileRows / 2) {
    matmul_one_of_several<Weight, kRows - 1>(args, row, rows, first, next);
  }
}

// A panel stays in the second-level cache while all tiles of rows pass over it. All get as many rows,
// or one more. What lies behind the panel is what is read next.
template <class Weight>
void matmul_panel(const MatmulArgs& args) {
  std::size_t tiles = (args.rows + kMaxTileRows - 1) / kMaxTileRows;
  std::size_t passes = tiles * (kPanelVectors / kManyRowsVectors);
  Prefetch next(static_cast<const Weight*>(args.weights) + args.k * kPanelWidth,
                (kPanelWidth * sizeof(Weight) + passes - 1) / passes);
  for (std::size_t tile = 0; tile < tiles; ++tile) {
    std::size_t begin = args.rows * tile / tiles;
    std::size_t end = args.rows * (tile + 1) / tiles;
    for (std::size_t first = 0; first < kPanelVectors; first += kManyRowsVectors) {
      matmul_one_of_several<Weight>(args, begin, end - begin, first, next);
    }
  }
}

// More rows than a tile's go through K in slices, so that x and the panel stay in the cache.
template <class Weight>
void matmul(const MatmulArgs& args) {
  constexpr std::size_t kSlice = 768;
  if (args.rows == 0) return;
  if (args.rows <= kMaxOneTileRows) return matmul_one_tile<Weight>(args);
  for (std::size_t panel = 0; panel < args.panels; ++panel) {
    const Weight* weights = panel_at<Weight>(args, panel);
    for (std::size_t k = 0; k < args.k; k += kSlice) {
      MatmulArgs slice = args;
      slice.x += k;
      slice.k = args.k - k < kSlice ? args.k - k : kSlice;
      slice.weights = weights + k * kPanelWidth;
      slice.panel_table = nullptr;
      if (args.bias != nullptr) slice.bias += panel * kPanelWidth;
      slice.accumulate = args.accumulate || k > 0;
      slice.out += panel * kPanelWidth;
      matmul_panel<Weight>(slice);
    }
  }
}

}  // namespace
}  // namespace chorus::kernels

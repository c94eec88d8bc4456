// The products of quantised matrices, over vectors; matmul_integer in scalar.cpp is the definition.
// Included after `Vector` and `Integers` have been defined in the file's anonymous namespace.
#pragma once

#include "kernels/vector/concepts.h"
#include "kernels/vector/prefetch.h"

namespace chorus::kernels {
namespace {

static_assert(IntegerVector<Integers, Vector>);

// What differs between the two formats: how a group's products are added up, whether a few tiles of
// rows fetch the next panels for each other, and how many rows are computed as fast as weights come from
// memory. Of int4's weights there are half as many for as much arithmetic. Measured: docs/measurements.md.
struct Int8 {
  static constexpr bool kFewTilesShareFetching = true;
  static constexpr std::size_t kMaxFastRows = 3;
  static constexpr std::size_t kGroupBytes = kInt8GroupBytes;
  static constexpr std::size_t kInputs = kInt8PassInputs;
  static Integers start(std::int32_t value) { return Integers::int8_start(value); }

  template <std::size_t kRows, std::size_t kVectors, class Place>
  static void add(Integers (&sums)[kRows][kVectors], Place place,
                  const ActivationGroup* const (&x)[kRows], std::size_t k) {
    decltype(Integers::load_int8(nullptr)) weights[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) weights[v] = Integers::load_int8(place(v));
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      Integers values = Integers::four_bytes(x[r]->values + k);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        sums[r][v] = sums[r][v].add_int8(weights[v], values);
      }
    }
  }
};

struct Int4 {
  static constexpr bool kFewTilesShareFetching = false;
  static constexpr std::size_t kMaxFastRows = 1;
  static constexpr std::size_t kGroupBytes = kInt4GroupBytes;
  static constexpr std::size_t kInputs = kInt4PassInputs;
  static Integers start(std::int32_t value) { return Integers::broadcast(value); }

  template <std::size_t kRows, std::size_t kVectors, class Place>
  static void add(Integers (&sums)[kRows][kVectors], Place place,
                  const ActivationGroup* const (&x)[kRows], std::size_t k) {
    decltype(Integers::load_int4(nullptr)) low[kVectors], high[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      auto packed = Integers::load_int4(place(v));
      low[v] = Integers::low_nibbles(packed);
      high[v] = Integers::high_nibbles(packed);
    }
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      Integers first = Integers::four_bytes(x[r]->values + k),
               second = Integers::four_bytes(x[r]->values + k + 4);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        sums[r][v] = sums[r][v].add_unsigned(low[v], first).add_unsigned(high[v], second);
      }
    }
  }
};

constexpr std::size_t kIntegerLanes = Integers::kLanes;
constexpr std::size_t kIntegerPanelVectors = kPanelWidth / kIntegerLanes;
constexpr std::size_t kVectorBytes = kIntegerLanes * 4;

// What a walk over panels fetches ahead of its use.
struct Ahead {
  std::size_t bytes;  // so far ahead
  std::size_t lines;  // one line of the cache for so many that are read
};

// One row reads as fast as its weights come, and leaves them to the processor's own prefetcher, which needs
// a push at each page and no more: to ask for all that lies in the last-level cache takes as long as to
// read it. Tiles that compute for longer keep the prefetcher behind. Measured for AVX-512
// (docs/measurements.md); AVX2 keeps what it had.
template <class Format>
constexpr Ahead integer_ahead(std::size_t rows) {
  if (kIntegerLanes < 16) return {.bytes = rows >= 4 ? 8192u : 2048u, .lines = 1};
  if (rows == 1) return {.bytes = 8192, .lines = 16};
  if (rows <= Format::kMaxFastRows) return {.bytes = 1024, .lines = 1};
  return {.bytes = 8192, .lines = 1};
}
// And into which cache, as __builtin_prefetch counts them: into the second-level one more can be
// under way. AVX2 keeps what it had, the first.
constexpr int kIntegerPrefetchHint = kIntegerLanes == 16 ? 2 : 3;

// A tile: kRows rows by kVectors vectors of outputs. The integer sums of a group stay in registers.
// With kSharesFetching it fetches `next` for others, as they have fetched its weights.
template <class Format, std::size_t kRows, std::size_t kVectors, bool kSharesFetching>
void integer_tile(const IntegerMatmulArgs& args, std::size_t row, std::size_t panel,
                  std::size_t first, Prefetch& next) {
  std::size_t panel_groups = panel * args.groups;  // before it
  const std::uint8_t* weights =
      args.weights + panel_groups * Format::kGroupBytes + first * kVectorBytes;
  const std::uint16_t* scales = args.scales + panel_groups * kPanelWidth + first * kIntegerLanes;
  std::size_t output = panel * kPanelWidth + first * kIntegerLanes;
  const ActivationGroup* x[kRows];
  for (std::size_t r = 0; r < kRows; ++r) x[r] = args.x + (row + r) * args.groups;

  Vector results[kRows][kVectors];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      results[r][v] = args.bias != nullptr ? Vector::load(args.bias + output + v * kIntegerLanes)
                                           : Vector::zero();
      if (args.row_factor != nullptr) {
        results[r][v] = results[r][v] * Vector::broadcast(args.row_factor[row + r]);
      }
    }
  }
  Prefetch prefetch = next;
  for (std::size_t g = 0; g < args.groups; ++g) {
    Integers sums[kRows][kVectors];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        sums[r][v] = Format::start(x[r]->start);
      }
    }
    const std::uint8_t* group = weights + g * Format::kGroupBytes;
    // Unrolled: GCC 12 copies the sums at every turn of a loop.
#pragma GCC unroll 16
    for (std::size_t pass = 0; pass < kGroup / Format::kInputs; ++pass) {
      auto place = [group, pass](std::size_t v) {
        std::size_t offset = pass * kPassBytes + v * kVectorBytes;
        constexpr Ahead kAhead = integer_ahead<Format>(kRows);
        if (!kSharesFetching && offset % (kAhead.lines * 64) == 0) {
          __builtin_prefetch(group + offset + kAhead.bytes, 0, kIntegerPrefetchHint);
        }
        return group + offset;
      };
      if constexpr (kSharesFetching) prefetch.advance_at_once();
      Format::template add<kRows, kVectors>(sums, place, x, pass * Format::kInputs);
    }
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      Vector scale = Vector::widen_bf16(scales + g * kPanelWidth + v * kIntegerLanes);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < kRows; ++r) {
        results[r][v] =
            fma(sums[r][v].to_float(), scale * Vector::broadcast(x[r]->scale), results[r][v]);
      }
    }
    for (std::size_t r = 0; r < kRows; ++r) ++x[r];
  }
  next = prefetch;
  float* out = args.out + row * args.out_stride + output;
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      results[r][v].store(out + r * args.out_stride + v * kIntegerLanes);
    }
  }
}

// The width of a tile of `rows` rows: at most a panel, so that a thread reads one after the other, as
// they lie.
constexpr std::size_t integer_tile_vectors(std::size_t rows) {
  return kIntegerLanes == 16 || rows == 1 ? kIntegerPanelVectors : 2;
}
constexpr std::size_t kMaxIntegerRows = kIntegerLanes == 16 ? 8 : 4;

constexpr std::size_t kManyIntegerRowsVectors = integer_tile_vectors(kMaxIntegerRows);
// Of a tile that is as wide as a panel, so that no other need follow it over the same one.
constexpr std::size_t kMaxOneIntegerTileRows = kIntegerLanes == 16 ? kMaxIntegerRows : 1;
static_assert(integer_tile_vectors(kMaxOneIntegerTileRows) == kIntegerPanelVectors);

// All rows in one tile. Templates are unrolled upwards to the number of rows that is wanted: a matrix of
// one row has the least to do beside this.
template <class Format, std::size_t kRows = 1>
void integer_one_tile(const IntegerMatmulArgs& args) {
  if (args.rows == kRows) {
    Prefetch nothing(nullptr, 0);
    for (std::size_t panel = 0; panel < args.panels; ++panel) {
      integer_tile<Format, kRows, kIntegerPanelVectors, false>(args, 0, panel, 0, nothing);
    }
    return;
  }
  if constexpr (kRows < kMaxOneIntegerTileRows) integer_one_tile<Format, kRows + 1>(args);
}

// One of several tiles, over one panel.
template <class Format, bool kSharesFetching, std::size_t kRows = kMaxIntegerRows>
void integer_one_of_several(const IntegerMatmulArgs& args, std::size_t row, std::size_t rows,
                            std::size_t panel, Prefetch& next) {
  if (rows == kRows) {
    constexpr std::size_t kVectors = kManyIntegerRowsVectors;
    for (std::size_t first = 0; first < kIntegerPanelVectors; first += kVectors) {
      integer_tile<Format, kRows, kVectors, kSharesFetching>(args, row, panel, first, next);
    }
    return;
  }
  if constexpr (kRows > 1) {
    integer_one_of_several<Format, kSharesFetching, kRows - 1>(args, row, rows, panel, next);
  }
}

// Panels outside, a few together, tiles of rows inside, each of as many rows as the others.
template <class Format, bool kShareFetching>
void integer_several_tiles(const IntegerMatmulArgs& args, std::size_t tiles) {
  constexpr std::size_t kTogether = kShareFetching ? 2 : 4;
  std::size_t passes = tiles * (kIntegerPanelVectors / kManyIntegerRowsVectors);
  for (std::size_t panel = 0; panel < args.panels; panel += kTogether) {
    std::size_t panels = args.panels - panel < kTogether ? args.panels - panel : kTogether;
    Prefetch next(args.weights + (panel + panels) * args.groups * Format::kGroupBytes,
                  (kPassBytes + passes - 1) / passes);
    for (std::size_t tile = 0; tile < tiles; ++tile) {
      std::size_t begin = args.rows * tile / tiles;
      std::size_t end = args.rows * (tile + 1) / tiles;
      for (std::size_t p = panel; p < panel + panels; ++p) {
        integer_one_of_several<Format, kShareFetching>(args, begin, end - begin, p, next);
      }
    }
  }
}

// More than three tiles compute for longer than the memory takes, and gain nothing.
template <class Format>
void integer_matmul(const IntegerMatmulArgs& args) {
  if (args.rows == 0) return;
  if (args.rows <= kMaxOneIntegerTileRows) return integer_one_tile<Format>(args);
  std::size_t tiles = (args.rows + kMaxIntegerRows - 1) / kMaxIntegerRows;
  if constexpr (Format::kFewTilesShareFetching) {
    if (tiles <= 3) return integer_several_tiles<Format, true>(args, tiles);
  }
  integer_several_tiles<Format, false>(args, tiles);
}

void matmul_int8(const IntegerMatmulArgs& args) { integer_matmul<Int8>(args); }
void matmul_int4(const IntegerMatmulArgs& args) { integer_matmul<Int4>(args); }

}  // namespace
}  // namespace chorus::kernels

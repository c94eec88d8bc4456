// The integer matrix products for AVX-512 with AMX: of many rows, whose groups' sums are products of
// tiles; fewer rows are left to VNNI, since they wait for memory either way. Built with the flags of
// avx512_vnni.cpp; run only where kernels/amx.h has found them. The bits are those of scalar.cpp:
// the sums are exact, and what rounds is done in its order.
//
// A chunk is two groups of one panel: four products of a tile of activations (rows x 32 bytes, where
// the quantiser left them) and a tile of weights (8 x 64 bytes, half of a panel's group), each of
// which makes 16 outputs of every row. Two facts shape the loop, both measured on Sapphire Rapids'
// successors:
//  - Tiles are not renamed and their results come late. So tiles are loaded two products before their
//    use and stored two products after; the sums lie in a ring of three chunks, small enough for the
//    first-level cache, and are joined two chunks later.
//  - For a while after a tile instruction port 5 makes no 512-bit multiplications and conversions.
//    Additions it does make: so sums become floats by adding the bits of 1.5 * 2^23 to the integer
//    and subtracting that number from the float, which is exact below 2^22.

#if defined(__x86_64__)

#include "kernels/vector/avx512.h"
#include "kernels/vector/prefetch.h"
#include "kernels/vector/tiles.h"

namespace chorus::kernels {
namespace {

constexpr std::size_t kLeastRows = 9;                                 // VNNI is as fast for fewer
constexpr int kActivationTiles = 0, kWeightTiles = 2, kSumTiles = 4;  // the first of 2, 2 and 4

// For products of `rows` rows. All tiles are zero then.
inline void configure_tiles(std::size_t rows) {
  TileConfig config;
  for (int tile = 0; tile < kWeightTiles; ++tile) config.set(tile, rows, kGroup);
  for (int tile = kWeightTiles; tile < kSumTiles; ++tile) config.set(tile, kGroup / 4, 64);
  for (int tile = kSumTiles; tile < 8; ++tile) config.set(tile, rows, kTileOutputs * 4);
  config.load();
}

// --- weights: the bytes of a chunk, as two groups of [8][32 outputs][4 inputs] ---

constexpr std::size_t kChunkGroups = 2;
constexpr std::size_t kGroupBytes = kInt8GroupBytes;
constexpr std::size_t kChunkBytes = kChunkGroups * kGroupBytes;

// They lie in memory so.
class Int8Weights {
 public:
  static constexpr std::size_t kStoredGroupBytes = kInt8GroupBytes;

  explicit Int8Weights(const std::uint8_t* weights) : weights_(weights) {}
  void unpack(std::size_t) {}
  const std::uint8_t* chunk(std::size_t i) const { return weights_ + i * kChunkBytes; }

 private:
  const std::uint8_t* weights_;
};

// Halves of bytes become bytes two chunks before their use: a tile's load waits until stores have
// left for the cache.
class Int4Weights {
 public:
  static constexpr std::size_t kStoredGroupBytes = kInt4GroupBytes;

  explicit Int4Weights(const std::uint8_t* weights) : weights_(weights) {}
  const std::uint8_t* chunk(std::size_t i) const { return chunks_[i % kChunks]; }

  void unpack(std::size_t i) {
    const std::uint8_t* from = weights_ + i * kChunkGroups * kInt4GroupBytes;
    std::uint8_t* to = chunks_[i % kChunks];
    __m512i mask = _mm512_set1_epi8(15);
    for (std::size_t pass = 0; pass < kChunkGroups * kInt4Passes; ++pass) {
      for (std::size_t half = 0; half < kPassBytes; half += 64) {
        __m512i both = _mm512_loadu_si512(from + pass * kPassBytes + half);
        std::uint8_t* low = to + 2 * pass * kPassBytes + half;
        _mm512_store_si512(low, _mm512_and_si512(both, mask));
        _mm512_store_si512(low + kPassBytes, _mm512_and_si512(_mm512_srli_epi16(both, 4), mask));
      }
    }
  }

 private:
  static constexpr std::size_t kChunks = 4;  // two in use, one ready, and a power of two
  const std::uint8_t* weights_;
  alignas(64) std::uint8_t chunks_[kChunks][kChunkBytes];
};

// --- sums become results ---

struct ChunkSums {
  std::int32_t of[kChunkGroups][kTileRows][kPanelWidth];
};

// What is joined lags behind what is multiplied, so it has places of its own.
struct Scratch {
  alignas(64) ChunkSums ring[3];
  alignas(64) float results[kTileRows][kPanelWidth];
};

struct Tile {
  std::size_t row, rows;      // of the product
  std::size_t panel, panels;  // walked through
};

class Joiner {
 public:
  Joiner(const IntegerMatmulArgs& args, const Tile& tile, Scratch& scratch)
      : args_(args),
        tile_(tile),
        results_(scratch.results),
        x_(args.x + tile.row * args.groups),
        scales_(args.scales + scale_place(args.groups, tile.panel, 0, 0)),
        output_(tile.panel * kPanelWidth) {
    start_panel();
  }

  // Before a chunk's rows.
  void load_scales() {
    for (std::size_t i = 0; i < kChunkGroups * 2; ++i) {
      weight_scales_[i] = Vector::widen_bf16(scales_ + i * kTileOutputs);
      if (i % 2 == 0) __builtin_prefetch(scales_ + kScalesAhead + i * kTileOutputs, 0, 1);
    }
  }

  // results[r] += the chunk's groups, in their order.
  void join_row(const ChunkSums& sums, std::size_t r) {
    const ActivationGroup* x = x_ + group_ + r * args_.groups;
    Vector low = Vector::load(results_[r]), high = Vector::load(results_[r] + kTileOutputs);
#pragma GCC unroll 2
    for (std::size_t g = 0; g < kChunkGroups; ++g) {
      __m512i start = _mm512_add_epi32(_mm512_castps_si512(_mm512_set1_ps(kRoundToInteger)),
                                       _mm512_set1_epi32(x[g].start));
      Vector scale = Vector::broadcast(x[g].scale);
      const std::int32_t* sum = sums.of[g][r];
      low = fma(to_float(sum, start), weight_scales_[2 * g] * scale, low);
      high = fma(to_float(sum + kTileOutputs, start), weight_scales_[2 * g + 1] * scale, high);
    }
    low.store(results_[r]);
    high.store(results_[r] + kTileOutputs);
  }

  // After a chunk's rows.
  void advance() {
    scales_ += kChunkGroups * kPanelWidth;
    group_ += kChunkGroups;
    if (group_ < args_.groups) return;
    finish_panel();
    group_ = 0;
    output_ += kPanelWidth;
    if (++finished_panels_ < tile_.panels) start_panel();
  }

 private:
  static constexpr std::size_t kScalesAhead = 512;  // of bf16, 1024 bytes

  // `start` holds the bits of 1.5 * 2^23, too.
  static Vector to_float(const std::int32_t* sums, __m512i start) {
    __m512i shifted = _mm512_add_epi32(_mm512_load_si512(sums), start);
    return Vector{_mm512_castsi512_ps(shifted)} - Vector::broadcast(kRoundToInteger);
  }

  void start_panel() {
    Vector low = Vector::zero(), high = Vector::zero();
    if (args_.bias != nullptr) {
      low = Vector::load(args_.bias + output_);
      high = Vector::load(args_.bias + output_ + kTileOutputs);
    }
    for (std::size_t r = 0; r < tile_.rows; ++r) {
      Vector factor =
          Vector::broadcast(args_.row_factor != nullptr ? args_.row_factor[tile_.row + r] : 1.0f);
      (low * factor).store(results_[r]);
      (high * factor).store(results_[r] + kTileOutputs);
    }
  }

  void finish_panel() {
    for (std::size_t r = 0; r < tile_.rows; ++r) {
      float* out = args_.out + (tile_.row + r) * args_.out_stride + output_;
      Vector::load(results_[r]).store(out);
      Vector::load(results_[r] + kTileOutputs).store(out + kTileOutputs);
    }
  }

  const IntegerMatmulArgs args_;  // copies: assembler may have changed what lies in memory
  const Tile tile_;
  float (&results_)[kTileRows][kPanelWidth];
  const ActivationGroup* x_;  // the tile's first row
  const std::uint16_t* scales_;
  Vector weight_scales_[kChunkGroups * 2];
  std::size_t output_, group_ = 0, finished_panels_ = 0;
};

// --- the products ---

// What a chunk's four products load and store. `next` is the chunk after it, or at the end any
// chunk: what is loaded then is not used.
struct Chunk {
  const std::uint8_t *weights, *next_weights;
  const ActivationGroup* next_x;
  std::size_t x_stride;  // bytes
  ChunkSums *sums, *last_sums;
};

template <int kProduct>
[[gnu::always_inline]] inline void store_product(ChunkSums& sums) {
  tile_store<kSumTiles + kProduct>(&sums.of[kProduct / 2][0][kProduct % 2 * kTileOutputs],
                                   kPanelWidth * sizeof(std::int32_t));
}

// Product kProduct, of group kProduct / 2 and of the outputs' half kProduct % 2; the sums of the
// product before the last leave their tile, which is to be that of the product after the next.
template <int kProduct>
[[gnu::always_inline]] inline void multiply_product(const Chunk& chunk) {
  constexpr int kHalf = kProduct % 2, kOther = (kProduct + 2) % 4;
  constexpr int kX = kActivationTiles + kProduct / 2, kWeights = kWeightTiles + kHalf;
  store_product<kOther>(kProduct < 2 ? *chunk.last_sums : *chunk.sums);
  tile_zero<kSumTiles + kOther>();
  tile_multiply<kSumTiles + kProduct, kX, kWeights>();
  const std::uint8_t* weights = kProduct < 2 ? chunk.weights + kGroupBytes : chunk.next_weights;
  tile_load<kWeights>(weights + kHalf * 64, kPassBytes);
  if constexpr (kHalf == 1) tile_load<kX>((chunk.next_x + kProduct / 2)->values, chunk.x_stride);
}

// A tile of rows through its panels, whose groups are one long sequence: nothing waits where one
// panel ends.
template <class Weights>
void multiply_tile(const IntegerMatmulArgs& args, const Tile& tile, Prefetch prefetch) {
  Scratch scratch;
  Joiner joiner(args, tile, scratch);
  Weights weights(args.weights +
                  group_place(args.groups, tile.panel, 0) * Weights::kStoredGroupBytes);
  const ActivationGroup* x = args.x + tile.row * args.groups;
  std::size_t chunks = tile.panels * args.groups / kChunkGroups, group = 0;
  weights.unpack(0);
  if (chunks > 1) weights.unpack(1);

  Chunk chunk{.weights = weights.chunk(0),
              .next_weights = nullptr,
              .next_x = x,
              .x_stride = args.groups * sizeof(ActivationGroup),
              .sums = &scratch.ring[0],
              .last_sums = &scratch.ring[2]};
  ChunkSums* joined = &scratch.ring[1];  // of the chunk before the last
  tile_load<kActivationTiles>(x->values, chunk.x_stride);
  tile_load<kActivationTiles + 1>((x + 1)->values, chunk.x_stride);
  tile_load<kWeightTiles>(chunk.weights, kPassBytes);
  tile_load<kWeightTiles + 1>(chunk.weights + 64, kPassBytes);
  tile_zero<kSumTiles>();
  tile_zero<kSumTiles + 1>();

  auto join = [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) joiner.join_row(*joined, r);
  };
  auto turn_ring = [&] {
    ChunkSums* oldest = joined;
    joined = chunk.last_sums;
    chunk.last_sums = chunk.sums;
    chunk.sums = oldest;
  };

  for (std::size_t i = 0; i < chunks; ++i) {
    bool is_last = i + 1 == chunks;
    chunk.next_weights = weights.chunk(is_last ? i : i + 1);
    group = group + kChunkGroups < args.groups ? group + kChunkGroups : 0;
    chunk.next_x = x + group;
    if (i + 2 < chunks) weights.unpack(i + 2);
    // In the first two chunks there is nothing to join. The first stores what nobody reads.
    std::size_t rows = i < 2 ? 0 : tile.rows;
    if (rows > 0) joiner.load_scales();

    prefetch.advance();
    multiply_product<0>(chunk);
    join(0, rows / 4);
    prefetch.advance();
    multiply_product<1>(chunk);
    join(rows / 4, rows / 2);
    prefetch.advance();
    multiply_product<2>(chunk);
    join(rows / 2, rows * 3 / 4);
    prefetch.advance();
    multiply_product<3>(chunk);
    join(rows * 3 / 4, rows);

    if (rows > 0) joiner.advance();
    chunk.weights = chunk.next_weights;
    turn_ring();
  }
  store_product<2>(*chunk.last_sums);
  store_product<3>(*chunk.last_sums);
  for (std::size_t left = chunks < 2 ? 1 : 2; left > 0; --left) {
    if (left == 1) joined = chunk.last_sums;
    joiner.load_scales();
    join(0, tile.rows);
    joiner.advance();
  }
}

// As integer_matmul() of vector/integer_matmul.h: panels outside, tiles of rows inside. All tiles
// have as many rows, so that one configuration does; the last may share rows with the one before,
// which are computed twice.
template <class Weights>
void multiply(const IntegerMatmulArgs& args) {
  std::size_t tiles = (args.rows + kTileRows - 1) / kTileRows;
  std::size_t rows = (args.rows + tiles - 1) / tiles;
  std::size_t panel_bytes = args.groups * Weights::kStoredGroupBytes;
  configure_tiles(rows);
  std::size_t step = tiles == 1 ? args.panels : 4;
  for (std::size_t panel = 0; panel < args.panels; panel += step) {
    std::size_t panels = args.panels - panel < step ? args.panels - panel : step;
    const std::uint8_t* weights = args.weights + panel * panel_bytes;
    for (std::size_t i = 0; i < tiles; ++i) {
      std::size_t row = i * rows < args.rows - rows ? i * rows : args.rows - rows;
      // One tile looks a little ahead of itself; several each fetch a part of the next panels.
      std::size_t ahead = tiles == 1 ? 8192 : panels * panel_bytes * (tiles + i) / tiles;
      multiply_tile<Weights>(args, {.row = row, .rows = rows, .panel = panel, .panels = panels},
                             Prefetch(weights + ahead, Weights::kStoredGroupBytes / 2 / tiles));
    }
  }
  release_tiles();
}

void matmul_int8(const IntegerMatmulArgs& args) {
  bool fits = args.rows >= kLeastRows && args.groups % kChunkGroups == 0;
  return fits ? multiply<Int8Weights>(args) : kAvx512VnniKernels.int8(args);
}
void matmul_int4(const IntegerMatmulArgs& args) {
  bool fits = args.rows >= kLeastRows && args.groups % kChunkGroups == 0;
  return fits ? multiply<Int4Weights>(args) : kAvx512VnniKernels.int4(args);
}

}  // namespace

const IntegerKernels kAvx512AmxKernels = {matmul_int8, matmul_int4};

}  // namespace chorus::kernels

#endif

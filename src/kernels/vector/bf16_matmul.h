// The products of bf16's own arithmetic, over vectors; matmul_bf16 in scalar.cpp is the definition.
// How a group's two sums are added up is left to a `Pairs` (concepts.h). Lanes run over outputs, and
// each output's sums are its own, so that no tile changes a bit.
#pragma once

#include "kernels/vector/lanes.h"
#include "kernels/vector/prefetch.h"

namespace chorus::kernels {
namespace {

constexpr std::size_t kPairPanelVectors = kPanelWidth / kLanes;
constexpr std::size_t kPairElements = 2 * kLanes;  // of a vector of pairs
constexpr std::size_t kPairRow = 2 * kPanelWidth;  // elements between two inputs and the next two

constexpr std::size_t kPairGroupBytes = kGroup * kPanelWidth * sizeof(std::uint16_t);

// Which groups of K a tile adds; the first begin from the bias.
struct GroupRange {
  std::size_t begin, end;
};

// The width of a tile of `rows` rows, with room for weights beside the sums: of both chains or, with 16
// registers and many rows, of one. At most a panel, so that a thread reads one after the other, as they
// lie.
constexpr std::size_t bf16_tile_vectors(std::size_t rows) {
  return kLanes == 16 || rows == 1 ? kPairPanelVectors : 2;
}
constexpr bool bf16_chains_in_turn(std::size_t rows) { return kLanes == 8 && rows > 3; }
constexpr std::size_t kMaxBf16Rows = 6;
// Whether rows go through a panel once, and not in blocks of K.
constexpr bool bf16_is_one_walk(std::size_t rows) {
  return rows <= (kLanes == 8 ? 1 : kMaxBf16Rows);
}

// Where pairs are not what lies in memory, making them takes slots of the two pipes that multiply. So for many
// tiles a block's are made once, each where its inputs were: the even ones', then the odd ones'. For
// few tiles that takes as long as it saves. Measured: docs/measurements.md.
constexpr std::size_t kLeastTilesOfMadePairs = 8;

template <class Pairs>
struct MadePairs : Pairs {
  static auto even(const std::uint16_t* weights) { return Pairs::load(weights); }
  static auto odd(const std::uint16_t* weights) { return Pairs::load(weights + kPairRow); }
};

template <class Pairs>
void make_pairs(const std::uint16_t* weights, std::size_t groups, std::uint16_t* made) {
  static_assert(Pairs::kInputs == 4);
  for (std::size_t i = 0; i < groups * kGroup * kPanelWidth; i += 2 * kPairRow) {
    for (std::size_t v = 0; v < kPairRow; v += kPairElements) {
      Pairs::store(Pairs::even(weights + i + v), made + i + v);
      Pairs::store(Pairs::odd(weights + i + v), made + i + v + kPairRow);
    }
  }
}

// A tile's operands: `weights` and `x` at a group.
template <class Pairs>
struct PairTile {
  const std::uint16_t* weights;
  const std::byte* x;
  std::size_t x_stride;
  bool is_one_walk;

  static constexpr std::size_t kPasses = kGroup / Pairs::kInputs;  // of a group
  static constexpr std::size_t kPassRowBytes = Pairs::kGroupBytes / kPasses;

  const std::uint16_t* weights_of(std::size_t pass, std::size_t v) const {
    return weights + pass * Pairs::kInputs * kPanelWidth + v * kPairElements;
  }
  auto activation(std::size_t pass, std::size_t row, std::size_t chain) const {
    return Pairs::activation(x + row * x_stride + pass * kPassRowBytes, chain);
  }
  // A pass's weights, a little ahead of their use, as matmul.h does for few rows. Near a panel's end this
  // is the next panel, or memory that is not ours, which does no harm.
  template <std::size_t kVectors>
  void fetch(std::size_t pass) const {
    constexpr std::size_t kAhead = 512;
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      if (v * kPairElements * 2 % 64 != 0) continue;
      for (std::size_t i = 0; i < Pairs::kInputs / 2; ++i) {
        __builtin_prefetch(
            reinterpret_cast<const char*>(weights_of(pass, v) + i * kPairRow) + kAhead, 0, 2);
      }
    }
  }
};

// sums = the even chain + the odd chain of a group. With 32 registers both are added up together.
template <class Pairs, std::size_t kRows, std::size_t kVectors>
[[gnu::always_inline]] inline void add_chains_together(const PairTile<Pairs>& tile,
                                                       Vector (&sums)[kRows][kVectors]) {
  Vector even[kRows][kVectors], odd[kRows][kVectors];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) even[r][v] = odd[r][v] = Vector::zero();
  }
#pragma GCC unroll 1
  for (std::size_t pass = 0; pass < tile.kPasses; ++pass) {
    typename Pairs::Weights w[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) w[v] = Pairs::even(tile.weights_of(pass, v));
    if (tile.is_one_walk) tile.template fetch<kVectors>(pass);
#pragma GCC unroll 12
    for (std::size_t r = 0; r < kRows; ++r) {
      auto value = tile.activation(pass, r, 0);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        even[r][v] = Pairs::add(even[r][v], value, w[v]);
      }
    }
    // Loaded again: with 16 registers there is none to keep them in.
    if (kLanes == 8) asm volatile("" ::: "memory");
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) w[v] = Pairs::odd(tile.weights_of(pass, v));
#pragma GCC unroll 12
    for (std::size_t r = 0; r < kRows; ++r) {
      auto value = tile.activation(pass, r, 1);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) odd[r][v] = Pairs::add(odd[r][v], value, w[v]);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) sums[r][v] = even[r][v] + odd[r][v];
  }
}

// The same with 16 registers: first the even chain, whose sums then wait in memory, and then the odd
// one. So as many sums are under way as in a product of f32, and a vector of weights serves as many rows.
template <class Pairs, std::size_t kRows, std::size_t kVectors>
[[gnu::always_inline]] inline void add_chains_in_turn(const PairTile<Pairs>& tile,
                                                      Vector (&sums)[kRows][kVectors]) {
  alignas(64) float even[kRows][kVectors][kLanes];
#pragma GCC unroll 2
  for (std::size_t chain = 0; chain < 2; ++chain) {
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kVectors; ++v) sums[r][v] = Vector::zero();
    }
#pragma GCC unroll 1
    for (std::size_t pass = 0; pass < tile.kPasses; ++pass) {
      typename Pairs::Weights w[kVectors];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        const std::uint16_t* from = tile.weights_of(pass, v);
        w[v] = chain == 0 ? Pairs::even(from) : Pairs::odd(from);
      }
#pragma GCC unroll 12
      for (std::size_t r = 0; r < kRows; ++r) {
        auto value = tile.activation(pass, r, chain);
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) {
          sums[r][v] = Pairs::add(sums[r][v], value, w[v]);
        }
      }
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kVectors; ++v) {
        if (chain == 0) {
          sums[r][v].store(even[r][v]);
        } else {
          sums[r][v] = Vector::load(even[r][v]) + sums[r][v];
        }
      }
    }
  }
}

// A tile: kRows rows by kVectors vectors of outputs, whose first is vector `first` of panel `panel`;
// `weights` are the panel's at groups.begin.
// (Not inline: the caller's variables would take the registers that the rows' addresses need.)
template <class Pairs, std::size_t kRows, std::size_t kVectors>
[[gnu::noinline]] void bf16_tile(const Bf16MatmulArgs& args, GroupRange groups,
                                 const std::uint16_t* weights, Prefetch& prefetch, std::size_t row,
                                 std::size_t panel, std::size_t first) {
  std::size_t output = panel * kPanelWidth + first * kLanes;
  float* out = args.out + row * args.out_stride + output;
  PairTile<Pairs> tile{.weights = weights + first * kPairElements,
                       .x = args.x + row * args.x_stride + groups.begin * Pairs::kGroupBytes,
                       .x_stride = args.x_stride,
                       .is_one_walk = bf16_is_one_walk(args.rows)};
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
    prefetch.advance();
    Vector sums[kRows][kVectors];
    if constexpr (bf16_chains_in_turn(kRows)) {
      add_chains_in_turn(tile, sums);
    } else {
      add_chains_together(tile, sums);
    }
    // Beside the two chains of so many sums there are no registers for results. The compiler would try, and
    // move them to and fro at each group.
    auto* place = &results;
    if constexpr (kRows * kVectors > 10) asm volatile("" : "+r"(place) : : "memory");
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kVectors; ++v) {
        (Vector::load((*place)[r][v]) + sums[r][v]).store((*place)[r][v]);
      }
    }
    tile.weights += kGroup * kPanelWidth;
    tile.x += Pairs::kGroupBytes;
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      Vector::load(results[r][v]).store(out + r * args.out_stride + v * kLanes);
    }
  }
}

template <class Pairs, std::size_t kRows>
void bf16_rows(const Bf16MatmulArgs& args, GroupRange groups, const std::uint16_t* weights,
               Prefetch& prefetch, std::size_t row, std::size_t panel, std::size_t panels) {
  constexpr std::size_t kVectors = bf16_tile_vectors(kRows);
  for (; panels > 0; ++panel, --panels, weights += bf16_panel_size(args.groups)) {
    for (std::size_t first = 0; first < kPairPanelVectors; first += kVectors) {
      bf16_tile<Pairs, kRows, kVectors>(args, groups, weights, prefetch, row, panel, first);
    }
  }
}

// `rows` in [1, kRows]: the template is unrolled downwards to the number wanted.
template <class Pairs, std::size_t kRows = kMaxBf16Rows>
void bf16_some_rows(const Bf16MatmulArgs& args, GroupRange groups, const std::uint16_t* weights,
                    Prefetch& prefetch, std::size_t row, std::size_t rows, std::size_t panel,
                    std::size_t panels) {
  if (rows == kRows) {
    return bf16_rows<Pairs, kRows>(args, groups, weights, prefetch, row, panel, panels);
  }
  if constexpr (kRows > 1) {
    bf16_some_rows<Pairs, kRows - 1>(args, groups, weights, prefetch, row, rows, panel, panels);
  }
}

// All rows by a block of one panel, each tile of as many rows as the others, or one more.
template <class Pairs>
void bf16_block(const Bf16MatmulArgs& args, GroupRange groups, const std::uint16_t* weights,
                Prefetch& prefetch, std::size_t panel, std::size_t tiles) {
  for (std::size_t tile = 0; tile < tiles; ++tile) {
    std::size_t first = args.rows * tile / tiles;
    std::size_t end = args.rows * (tile + 1) / tiles;
    bf16_some_rows<Pairs>(args, groups, weights, prefetch, first, end - first, panel, 1);
  }
}

// Rows go through a panel in blocks of K, which stay in the caches for all of their tiles; meanwhile all of
// these fetch the block that comes next.
template <PairProducts<Vector> Pairs>
void matmul_bf16(const Bf16MatmulArgs& args) {
  constexpr std::size_t kBlock =
      24;  // groups: 48 KiB, which the second-level cache gives fast enough
  if (args.rows == 0) return;
  if (bf16_is_one_walk(args.rows)) {
    Prefetch nothing(nullptr, 0);
    return bf16_some_rows<Pairs>(args, {0, args.groups}, args.weights, nothing, 0, args.rows, 0,
                                 args.panels);
  }
  [[maybe_unused]] alignas(64)
      std::uint16_t made[Pairs::kMakesPairs ? kBlock * kGroup * kPanelWidth : 1];
  std::size_t tiles = (args.rows + kMaxBf16Rows - 1) / kMaxBf16Rows;
  std::size_t walks =
      tiles * (kPanelWidth / kLanes / 2);  // through a block, by tiles of two vectors
  for (std::size_t panel = 0; panel < args.panels; ++panel) {
    for (std::size_t begin = 0; begin < args.groups; begin += kBlock) {
      GroupRange groups{begin, args.groups - begin < kBlock ? args.groups : begin + kBlock};
      const std::uint16_t* panel_weights = args.weights + panel * bf16_panel_size(args.groups);
      const std::uint16_t* weights = panel_weights + begin * kGroup * kPanelWidth;
      Prefetch prefetch(panel_weights + groups.end * kGroup * kPanelWidth,
                        (kPairGroupBytes + walks - 1) / walks);
      if constexpr (Pairs::kMakesPairs) {
        if (tiles >= kLeastTilesOfMadePairs) {
          make_pairs<Pairs>(weights, groups.end - begin, made);
          bf16_block<MadePairs<Pairs>>(args, groups, made, prefetch, panel, tiles);
          continue;
        }
      }
      bf16_block<Pairs>(args, groups, weights, prefetch, panel, tiles);
    }
  }
}

}  // namespace
}  // namespace chorus::kernels

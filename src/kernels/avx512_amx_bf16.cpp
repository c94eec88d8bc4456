// The products of bf16's own arithmetic for AVX-512 with AMX, whose tdpbf16ps they are defined by: a
// group of 32 inputs is one product of a tile of activations (rows x 64 bytes, where round() left
// them) and a tile of weights (16 x 64 bytes, half of a panel's group). Run only where kernels/amx.h has
// found AMX. There is no rounding but the tiles' own: bias and sums are loaded and stored by tiles, too.
//
// Rows are taken 32 at a time, as two tiles, with the two tiles of a panel's outputs: four products
// for four loads, and a product takes twice a load's time. What is left over, up to 16 rows, is one
// tile with the outputs of two panels. Tiles are not renamed (avx512_amx.cpp): each of the factors is
// loaded right after the last product that reads it, one or two products before the next that does.
// The prototype that this follows made 1,460 to 2,000 GFLOP/s of a core's 3,500
// (docs/measurements.md); this file has run under emulations alone.

#if defined(__x86_64__)

#include "kernels/vector/avx512.h"
#include "kernels/vector/lanes.h"
#include "kernels/vector/prefetch.h"
#include "kernels/vector/tiles.h"

namespace chorus::kernels {
namespace {

constexpr int kSums = 0, kX = 4, kWeights = 6;  // the first of 4, 2 and 2 tiles
constexpr std::size_t kGroupRowBytes = kGroup * sizeof(std::uint16_t);  // of activations
static_assert(kGroupRowBytes == kTileRowBytes && kPanelWidth == 2 * kTileOutputs);
constexpr std::size_t kGroupElements = kGroup * kPanelWidth;  // of weights
constexpr std::size_t kGroupBytes = kGroupElements * sizeof(std::uint16_t);
constexpr std::size_t kPairRowBytes = 2 * kPanelWidth * sizeof(std::uint16_t);
constexpr std::size_t kRowsOfTwo = 2 * kTileRows;
constexpr std::size_t kPanelsAtOnce = 4;  // read from memory once for all rows

// Fewer rows wait for the weights either way, and vectors are known to be as fast as memory there.
constexpr std::size_t kLeastRows = 5;
// How far ahead of its use a panel is fetched, where nothing has fetched it before.
constexpr std::size_t kAhead = 4 * kGroupElements;
// Groups of all rows together that are widened for vectors, 64 KiB of the stack.
constexpr std::size_t kMostWidened = 512;

// Sums 0 and 1 and the first tile of activations have `first` rows, the others `second`.
void configure_tiles(std::size_t first, std::size_t second) {
  TileConfig config;
  for (int i = 0; i < 4; ++i) config.set(kSums + i, i < 2 ? first : second, kTileOutputs * 4);
  config.set(kX, first, kGroupRowBytes);
  config.set(kX + 1, second, kGroupRowBytes);
  for (int i = 0; i < 2; ++i) config.set(kWeights + i, kGroup / 2, kTileRowBytes);
  config.load();
}

// Rows from `row` on, that are multiplied at once by `panels` panels from `panel` on.
struct Block {
  std::size_t row;
  std::size_t panel, panels;
};

// Half `half` of a group's outputs.
template <int kHalf>
[[gnu::always_inline]] inline void load_weights(const std::uint16_t* group) {
  tile_load<kWeights + kHalf>(group + kHalf * 2 * kTileOutputs, kPairRowBytes);
}

// The sums of 16 outputs before the groups from `group` on.
template <int kTile>
[[gnu::always_inline]] inline void start_sums(const Bf16MatmulArgs& args, std::size_t group,
                                              std::size_t row, std::size_t output) {
  if (group > 0) {
    tile_load<kSums + kTile>(args.out + row * args.out_stride + output,
                             args.out_stride * sizeof(float));
  } else if (args.bias != nullptr) {
    tile_load<kSums + kTile>(args.bias + output, 0);
  } else {
    tile_zero<kSums + kTile>();
  }
}
template <int kTile>
[[gnu::always_inline]] inline void store_sums(const Bf16MatmulArgs& args, std::size_t row,
                                              std::size_t output) {
  tile_store<kSums + kTile>(args.out + row * args.out_stride + output,
                            args.out_stride * sizeof(float));
}

// 17 to 32 rows. K in slices of `slice` groups; between two of them the sums lie in `out`, which loses
// nothing.
void multiply_two_tiles(const Bf16MatmulArgs& args, const Block& block, std::size_t slice,
                        Prefetch prefetch) {
  std::size_t panel_size = bf16_panel_size(args.groups);
  std::size_t second_row = block.row + kTileRows, second = kTileRows * args.x_stride;
  const std::byte* rows = args.x + block.row * args.x_stride;
  const std::uint16_t* panels = args.weights + block.panel * panel_size;
  tile_load<kX>(rows, args.x_stride);
  tile_load<kX + 1>(rows + second, args.x_stride);
  load_weights<0>(panels);
  load_weights<1>(panels);
  for (std::size_t begin = 0; begin < args.groups; begin += slice) {
    std::size_t end = args.groups - begin < slice ? args.groups : begin + slice;
    for (std::size_t i = 0; i < block.panels; ++i) {
      std::size_t output = (block.panel + i) * kPanelWidth;
      start_sums<0>(args, begin, block.row, output);
      start_sums<1>(args, begin, block.row, output + kTileOutputs);
      start_sums<2>(args, begin, second_row, output);
      start_sums<3>(args, begin, second_row, output + kTileOutputs);
      for (std::size_t g = begin; g < end; ++g) {
        // The next factors: of this panel, or of where the next one begins, or at the very end the
        // same once more, which nobody uses.
        bool is_last_panel = i + 1 == block.panels;
        std::size_t next_panel = g + 1 < end ? i : is_last_panel ? 0 : i + 1;
        std::size_t next_group = g + 1 < end || is_last_panel ? g + 1 : begin;
        if (next_group == args.groups) next_group = g;
        const std::byte* next_x = rows + next_group * kGroupRowBytes;
        const std::uint16_t* next_weights =
            panels + next_panel * panel_size + next_group * kGroupElements;
        prefetch.advance();
        tile_multiply_bf16<kSums, kX, kWeights>();
        tile_multiply_bf16<kSums + 1, kX, kWeights + 1>();
        tile_load<kX>(next_x, args.x_stride);
        tile_multiply_bf16<kSums + 2, kX + 1, kWeights>();
        load_weights<0>(next_weights);
        tile_multiply_bf16<kSums + 3, kX + 1, kWeights + 1>();
        load_weights<1>(next_weights);
        tile_load<kX + 1>(next_x + second, args.x_stride);
      }
      store_sums<0>(args, block.row, output);
      store_sums<1>(args, block.row, output + kTileOutputs);
      store_sums<2>(args, second_row, output);
      store_sums<3>(args, second_row, output + kTileOutputs);
    }
  }
}

// Where one tile of rows is in its two panels.
struct OneTile {
  const std::byte* x;
  std::size_t x_stride, groups;
  const std::uint16_t *first, *second;  // panels
  Prefetch prefetch_first, prefetch_second;
};

// Group `g`, whose activations are in tile kTile. At the end the last factors are loaded once more.
template <int kTile>
[[gnu::always_inline]] inline void multiply_group(OneTile& tile, std::size_t g) {
  std::size_t last = tile.groups - 1;
  const std::uint16_t* second = tile.second + g * kGroupElements;
  const std::uint16_t* next = tile.first + (g < last ? g + 1 : last) * kGroupElements;
  tile.prefetch_first.advance();
  tile.prefetch_second.advance();
  tile_multiply_bf16<kSums, kTile, kWeights>();
  load_weights<0>(second);
  tile_multiply_bf16<kSums + 1, kTile, kWeights + 1>();
  load_weights<1>(second);
  tile_multiply_bf16<kSums + 2, kTile, kWeights>();
  load_weights<0>(next);
  tile_multiply_bf16<kSums + 3, kTile, kWeights + 1>();
  load_weights<1>(next);
  tile_load<kTile>(tile.x + (g + 2 < last ? g + 2 : last) * kGroupRowBytes, tile.x_stride);
}

// Up to 16 rows: all of K, two panels at a time. A last panel alone is computed twice, side by side.
// `is_fetched`: whether the panels are in the second-level cache.
void multiply_one_tile(const Bf16MatmulArgs& args, const Block& block, bool is_fetched) {
  std::size_t panel_size = bf16_panel_size(args.groups);
  for (std::size_t i = 0; i < block.panels; i += 2) {
    std::size_t panels[2] = {block.panel + i, block.panel + (i + 1 < block.panels ? i + 1 : i)};
    const std::uint16_t* first = args.weights + panels[0] * panel_size;
    const std::uint16_t* second = args.weights + panels[1] * panel_size;
    OneTile tile{.x = args.x + block.row * args.x_stride,
                 .x_stride = args.x_stride,
                 .groups = args.groups,
                 .first = first,
                 .second = second,
                 .prefetch_first = Prefetch(first + kAhead, is_fetched ? 0 : kGroupBytes),
                 .prefetch_second = Prefetch(second + kAhead, is_fetched ? 0 : kGroupBytes)};
    tile_load<kX>(tile.x, tile.x_stride);
    tile_load<kX + 1>(tile.x + (tile.groups > 1 ? kGroupRowBytes : 0), tile.x_stride);
    load_weights<0>(first);
    load_weights<1>(first);
    std::size_t outputs[2] = {panels[0] * kPanelWidth, panels[1] * kPanelWidth};
    start_sums<0>(args, 0, block.row, outputs[0]);
    start_sums<1>(args, 0, block.row, outputs[0] + kTileOutputs);
    start_sums<2>(args, 0, block.row, outputs[1]);
    start_sums<3>(args, 0, block.row, outputs[1] + kTileOutputs);
    for (std::size_t g = 0; g < args.groups; g += 2) {
      multiply_group<kX>(tile, g);
      if (g + 1 < args.groups) multiply_group<kX + 1>(tile, g + 1);
    }
    store_sums<0>(args, block.row, outputs[0]);
    store_sums<1>(args, block.row, outputs[0] + kTileOutputs);
    store_sums<2>(args, block.row, outputs[1]);
    store_sums<3>(args, block.row, outputs[1] + kTileOutputs);
  }
}

// Panels outside, rows inside. Two tiles at once each fetch a part of the next panels.
void multiply(const Bf16MatmulArgs& args) {
  constexpr std::size_t kSlice = 8;  // groups, whose 32 rows of activations take 16 KiB
  std::size_t rest = args.rows % kRowsOfTwo;
  bool has_one_tile = rest > 0 && rest <= kTileRows;
  std::size_t twos = args.rows / kRowsOfTwo + (rest > kTileRows ? 1 : 0);
  std::size_t panel_size = bf16_panel_size(args.groups);
  for (std::size_t panel = 0; panel < args.panels; panel += kPanelsAtOnce) {
    std::size_t panels = args.panels - panel < kPanelsAtOnce ? args.panels - panel : kPanelsAtOnce;
    const std::uint16_t* weights = args.weights + panel * panel_size;
    for (std::size_t i = 0; i < twos; ++i) {
      std::size_t row = i * kRowsOfTwo;
      bool is_full = args.rows - row >= kRowsOfTwo;
      if (i == 0 || !is_full) configure_tiles(kTileRows, is_full ? kTileRows : rest - kTileRows);
      std::size_t ahead = twos == 1 ? kAhead : panels * panel_size * (twos + i) / twos;
      multiply_two_tiles(args, {.row = row, .panel = panel, .panels = panels},
                         twos == 1 ? args.groups : kSlice,
                         Prefetch(weights + ahead, kGroupBytes / twos));
    }
    if (!has_one_tile) continue;
    configure_tiles(rest, rest);
    multiply_one_tile(args, {.row = args.rows - rest, .panel = panel, .panels = panels}, twos > 0);
  }
  release_tiles();
}

// By vectors, for which activations are widened first. (Not inline: tiles need none of its stack.)
[[gnu::noinline]] void multiply_few_rows(const Bf16MatmulArgs& args) {
  alignas(64) float x[kMostWidened * kGroup];
  float* to = x;
  for (std::size_t r = 0; r < args.rows; ++r) {
    const auto* row = reinterpret_cast<const std::uint16_t*>(args.x + r * args.x_stride);
    for (std::size_t k = 0; k < args.groups * kGroup; k += kLanes, to += kLanes) {
      Vector::widen_bf16(row + k).store(to);
    }
  }
  Bf16MatmulArgs widened = args;
  widened.x = reinterpret_cast<const std::byte*>(x);
  widened.x_stride = args.groups * kGroup * sizeof(float);
  kAvx512Kernels.matmul.bf16.matmul(widened);
}

void matmul_bf16(const Bf16MatmulArgs& args) {
  if (args.rows == 0) return;
  bool few = args.rows < kLeastRows && args.rows * args.groups <= kMostWidened;
  return few ? multiply_few_rows(args) : multiply(args);
}

// In the order of the inputs.
void round_bf16(const float* x, std::size_t k, std::byte* out) {
  for (std::size_t i = 0; i < group_count(k) * kGroup; i += kLanes) {
    std::size_t lanes = i >= k ? 0 : k - i < kLanes ? k - i : kLanes;
    __m512i high = _mm512_castps_si512(round_to_bf16(load_lanes(x + i, lanes)).v);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i * sizeof(std::uint16_t)),
                        _mm512_cvtepi32_epi16(_mm512_srli_epi32(high, 16)));
  }
}

}  // namespace

const Bf16Kernels kAvx512AmxBf16Kernels = {
    .round = round_bf16, .row_group_bytes = kGroupRowBytes, .matmul = matmul_bf16};

}  // namespace chorus::kernels

#endif

#include "model/attention.h"

#include <algorithm>
#include <cassert>

#include "core/half.h"

namespace chorus::model {
namespace {

using kernels::kPanelWidth;

void convert(const float* values, std::size_t count, float* elements) {
  std::copy_n(values, count, elements);
}
void convert(const float* values, std::size_t count, std::uint16_t* elements) {
  for (std::size_t i = 0; i < count; ++i) elements[i] = f32_to_bf16(values[i]);
}

// One more than the last position of the page that `position` stands in.
std::size_t page_end(std::size_t position) {
  return (position / kPagePositions + 1) * kPagePositions;
}

}  // namespace

Attention::Attention(const kernels::Kernels& kernels, const KvLayout& layout, std::size_t heads,
                     const StepRows& rows, Workspace& workspace)
    : kernels_(kernels),
      layout_(layout),
      heads_(heads),
      score_stride_(kernels::padded(rows.positions())),
      sum_stride_(kernels::padded(layout.head_size)),
      workspace_(workspace) {
  assert(heads % layout.heads == 0);
}

std::size_t Attention::scratch_size() const { return kTileRows * (score_stride_ + sum_stride_); }

void Attention::store(const Tile& tile, std::size_t layer, std::size_t kv_head) const {
  if (layout_.type == NumberFormat::kF32) {
    store_as<float>(tile, layer, kv_head);
  } else {
    store_as<std::uint16_t>(tile, layer, kv_head);
  }
}

template <class Element>
void Attention::store_as(const Tile& tile, std::size_t layer, std::size_t kv_head) const {
  std::size_t head_size = layout_.head_size;
  for (std::size_t r = 0; r < tile.rows; ++r) {
    std::size_t position = tile.first_position + r;
    std::size_t slot = position % kPagePositions;
    auto* page = reinterpret_cast<Element*>(tile.pages[position / kPagePositions]);
    Element* keys = page + layout_.keys(layer, kv_head);
    Element* values = page + layout_.values(layer, kv_head);
    const float* key = workspace_.qkv.row(tile.first_row + r) + (heads_ + kv_head) * head_size;
    const float* value = key + layout_.heads * head_size;
    for (std::size_t d = 0; d < head_size; d += kPanelWidth) {
      std::size_t count = std::min(kPanelWidth, head_size - d);
      Element run[kPanelWidth];
      convert(key + d, count, run);
      for (std::size_t i = 0; i < count; ++i) keys[kernels::page_key_place(d + i, slot)] = run[i];
      convert(value + d, count, values + kernels::page_value_place(d, slot));
    }
  }
}

void Attention::attend(const Tile& tile, std::size_t layer, std::size_t head, float score_scale,
                       float* scratch) const {
  float* scores_of_rows = scratch;
  float* sums = scratch + kTileRows * score_stride_;
  scores(tile, layer, head, scores_of_rows);
  for (std::size_t r = 0; r < tile.rows; ++r) {
    kernels_.activation.softmax(scores_of_rows + r * score_stride_, tile.first_position + r + 1,
                                score_scale);
  }
  weighted_sum(tile, layer, kv_head_of(head), scores_of_rows, sums);
  for (std::size_t r = 0; r < tile.rows; ++r) {
    std::copy_n(sums + r * sum_stride_, layout_.head_size,
                workspace_.normalised.row(tile.first_row + r) + head * layout_.head_size);
  }
}

// Over all positions up to the tile's last row's, each page a panel; those after a row's own
// position are computed with the others and never read.
void Attention::scores(const Tile& tile, std::size_t layer, std::size_t head, float* out) const {
  multiply_cached({.x = workspace_.qkv.row(tile.first_row) + head * layout_.head_size,
                   .x_stride = workspace_.qkv.stride(),
                   .rows = tile.rows,
                   .k = layout_.head_size,
                   .weights = nullptr,
                   .panel_stride = 0,
                   .panel_table = tile.pages,
                   .panel_offset = layout_.keys(layer, kv_head_of(head)) * layout_.element_size(),
                   .panels = kernels::panel_count(tile.first_position + tile.rows),
                   .bias = nullptr,
                   .accumulate = false,
                   .out = out,
                   .out_stride = score_stride_});
}

// sums[r] = sum over positions 0..position(r), ascending, of score * value. The positions that all
// rows of the tile see are taken together, the few that only later rows see row by row.
void Attention::weighted_sum(const Tile& tile, std::size_t layer, std::size_t kv_head,
                             const float* scores, float* sums) const {
  std::size_t common = tile.first_position + 1;
  auto add = [&](std::size_t row, std::size_t rows, std::size_t begin, std::size_t end) {
    std::size_t element =
        layout_.values(layer, kv_head) + kernels::page_value_place(0, begin % kPagePositions);
    multiply_cached(
        {.x = scores + row * score_stride_ + begin,
         .x_stride = score_stride_,
         .rows = rows,
         .k = end - begin,
         .weights = tile.pages[begin / kPagePositions] + element * layout_.element_size(),
         .panel_stride = kernels::panel_size(kPagePositions),
         .panels = kernels::panel_count(layout_.head_size),
         .bias = nullptr,
         .accumulate = begin > 0,
         .out = sums + row * sum_stride_,
         .out_stride = sum_stride_});
  };
  for (std::size_t begin = 0; begin < common; begin = page_end(begin)) {
    add(0, tile.rows, begin, std::min(common, page_end(begin)));
  }
  for (std::size_t r = 1; r < tile.rows; ++r) {
    std::size_t end = tile.first_position + r + 1;
    for (std::size_t begin = common; begin < end; begin = page_end(begin)) {
      add(r, 1, begin, std::min(end, page_end(begin)));
    }
  }
}

// A member computes one head after the other, so that each fetches the next one's keys and values, which
// lie in the same pages.
void Attention::multiply_cached(kernels::MatmulArgs args) const {
  args.next_offset = layout_.head_bytes();
  (layout_.type == NumberFormat::kF32 ? kernels_.matmul.f32 : kernels_.matmul.bf16_f32)(args);
}

}  // namespace chorus::model

// One forward step: a fixed list of phases, one after the other. Each is dealt in rows, output
// panels or (chunk, head, row tile) items; no split changes a bit (docs/numerics.md). Within a
// phase a member allocates nothing and locks nothing.

#include <algorithm>

#include "core/deal.h"
#include "core/half.h"
#include "model/model.h"

namespace chorus::model {
namespace {

using kernels::kPanelWidth;

constexpr std::size_t kTileRows = 24;  // rows of one attention item
constexpr std::size_t kPanels = 4;     // of a matrix, in one piece of work: as a tile of one row

// Phases in which work is dealt, at most: those of a layer, the embedding and the head's three.
constexpr std::size_t kLayerPhases = 9, kOtherPhases = 4;

template <class T>
void grow(AlignedBuffer<T>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer = AlignedBuffer<T>(size);
}

void store(const float* values, std::size_t count, float* elements) {
  std::copy_n(values, count, elements);
}
void store(const float* values, std::size_t count, std::uint16_t* elements) {
  for (std::size_t i = 0; i < count; ++i) elements[i] = f32_to_bf16(values[i]);
}

}  // namespace

class Step {
 public:
  Step(const Model& model, std::span<const Chunk> chunks, Workspace& workspace, std::size_t members,
       const Model::UseLogits& use);

  void run(ThreadTeam::Member& member);

 private:
  struct Row {
    const Chunk* chunk;
    std::size_t index;  // in the chunk
    std::size_t position() const { return chunk->position + index; }
  };
  // A tile of rows of one chunk, whose attention for one head is one unit of work.
  struct Tile {
    const Chunk* chunk;
    std::size_t first_row;  // in the step
    std::size_t first_index, rows;
    std::size_t first_position() const { return chunk->position + first_index; }
    bool is_whole() const { return rows == chunk->ids.size(); }  // all of its chunk
  };

  // What a matrix multiplies: rows of floats or, for a quantised matrix, the groups made of them.
  struct Input {
    float* values;
    std::size_t stride;
    kernels::ActivationGroup* groups;
  };
  Input normalised() {
    return {workspace_.normalised.data(), stride_, workspace_.quantised.data()};
  }
  Input inner() {
    return {workspace_.inner.data(), inner_stride_, workspace_.quantised_inner.data()};
  }

  void embed(Deal::Hand& hand);
  // The normalised rows, ready for a multiplication by `matrix`.
  void normalise(Deal::Hand& hand, const Model::LayerNorm& norm, const PackedMatrix& matrix);
  void normalise_row(const Model::LayerNorm& norm, std::size_t row, std::size_t to) const;
  // Where `matrix` is quantised: groups [begin, end) of row `row`, of its values. Else nothing.
  void quantise_groups(const PackedMatrix& matrix, const Input& input, std::size_t row,
                       Range groups) const;
  // out = matrix * input over a range of panels.
  void multiply(const PackedMatrix& matrix, Range panels, const Input& input, std::size_t rows,
                float* out, std::size_t out_stride) const;
  void store_split_chunks(Deal::Hand& hand, std::size_t layer);
  void store_keys_and_values(const Tile& tile, std::size_t layer, std::size_t head);
  // The heads' sums, ready for a multiplication by `matrix`.
  void attend(Deal::Hand& hand, std::size_t layer, const PackedMatrix& matrix);
  void attend_tile(const Tile& tile, std::size_t layer, std::size_t head, float* scratch);
  void weighted_sum(const Tile& tile, std::size_t layer, std::size_t head, const float* scores,
                    float* sums);
  // An element of a page of the tile's sequence; a matmul whose weights stand there.
  const std::byte* cached(const Tile& tile, std::size_t page, std::size_t element) const {
    return tile.chunk->pages[page] + element * kv_.element_size();
  }
  void multiply_cached(const kernels::MatmulArgs& args) const {
    (kv_.type == NumberFormat::kF32 ? kernels_.matmul_f32 : kernels_.matmul_bf16)(args);
  }
  // residual += matrix * input.
  void project(Deal::Hand& hand, const PackedMatrix& matrix, const Input& input);
  void mlp_inner(Deal::Hand& hand, const Model::Layer& layer);
  void project_logits(Deal::Hand& hand);

  const Model& model_;
  const Model::UseLogits& use_;
  const kernels::Kernels& kernels_;
  Workspace& workspace_;
  Deal deal_;
  const KvLayout& kv_;
  std::size_t channels_, stride_, qkv_stride_, inner_stride_;  // C and padded row lengths
  std::size_t score_stride_;    // floats of one row of scores: the positions, in whole pages
  std::size_t scratch_stride_;  // floats of one member's scratch
  std::vector<Row> rows_;
  std::vector<std::size_t> logits_rows_;  // rows of the step that get logits
  std::vector<Tile> tiles_;
  bool splits_chunks_ = false;  // there is a chunk of more than one tile
};

Step::Step(const Model& model, std::span<const Chunk> chunks, Workspace& workspace,
           std::size_t members, const Model::UseLogits& use)
    : model_(model),
      use_(use),
      kernels_(model.kernels()),
      workspace_(workspace),
      deal_(members, model.layers_.size() * kLayerPhases + kOtherPhases),
      kv_(model.kv_layout()),
      channels_(static_cast<std::size_t>(model.config().n_embd)),
      stride_(padded(channels_)),
      qkv_stride_(padded(3 * channels_)),
      inner_stride_(padded(static_cast<std::size_t>(model.config().n_inner))) {
  std::size_t positions = 0;
  for (const Chunk& chunk : chunks) {
    for (std::size_t i = 0; i < chunk.ids.size(); i += kTileRows) {
      splits_chunks_ |= chunk.ids.size() > kTileRows;
      tiles_.push_back({&chunk, rows_.size() + i, i, std::min(kTileRows, chunk.ids.size() - i)});
    }
    for (std::size_t i = 0; i < chunk.ids.size(); ++i) {
      if (i >= chunk.logits_from) logits_rows_.push_back(rows_.size());
      rows_.push_back({&chunk, i});
    }
    positions = std::max(positions, chunk.position + chunk.ids.size());
  }
  score_stride_ = padded(positions);
  scratch_stride_ = kTileRows * (score_stride_ + padded(kv_.head_size));
  grow(workspace.residual, rows_.size() * stride_);
  grow(workspace.normalised, rows_.size() * stride_);
  grow(workspace.projected, rows_.size() * stride_);
  grow(workspace.qkv, rows_.size() * qkv_stride_);
  grow(workspace.inner, rows_.size() * inner_stride_);
  std::size_t groups = model.head().groups(), inner_groups = 0;
  for (const Model::Layer& layer : model.layers_) {
    groups = std::max({groups, layer.attention.groups(), layer.attention_projection.groups(),
                       layer.mlp_inner.groups()});
    inner_groups = std::max(inner_groups, layer.mlp_projection.groups());
  }
  grow(workspace.quantised, rows_.size() * groups);
  grow(workspace.quantised_inner, rows_.size() * inner_groups);
  grow(workspace.row_factors, logits_rows_.size());
  grow(workspace.scores, members * scratch_stride_);
  grow(workspace.logits, logits_rows_.size() * model.logits_stride());
}

void Step::run(ThreadTeam::Member& member) {
  Deal::Hand hand(deal_, member);
  embed(hand);
  for (std::size_t i = 0; i < model_.layers_.size(); ++i) {
    const Model::Layer& layer = model_.layers_[i];
    normalise(hand, layer.attention_norm, layer.attention);
    hand.deal(layer.attention.panels(), kPanels, [&](Range panels) {
      multiply(layer.attention, panels, normalised(), rows_.size(), workspace_.qkv.data(),
               qkv_stride_);
    });
    if (splits_chunks_) {
      store_split_chunks(hand, i);
    }
    attend(hand, i, layer.attention_projection);
    project(hand, layer.attention_projection, normalised());
    normalise(hand, layer.mlp_norm, layer.mlp_inner);
    mlp_inner(hand, layer);
    project(hand, layer.mlp_projection, inner());
  }
  project_logits(hand);
}

void Step::embed(Deal::Hand& hand) {
  hand.deal(rows_.size(), 1, [&](Range range) {
    const Row& row = rows_[range.begin];
    float* x = workspace_.residual.data() + range.begin * stride_;
    model_.token_embedding_.read_row(static_cast<std::size_t>(row.chunk->ids[row.index]), x);
    kernels_.add(x, model_.positions_.data() + row.position() * channels_, channels_);
  });
}

void Step::normalise(Deal::Hand& hand, const Model::LayerNorm& norm, const PackedMatrix& matrix) {
  hand.deal(rows_.size(), 1, [&](Range range) {
    normalise_row(norm, range.begin, range.begin);
    quantise_groups(matrix, normalised(), range.begin, {0, matrix.groups()});
  });
}

void Step::normalise_row(const Model::LayerNorm& norm, std::size_t row, std::size_t to) const {
  kernels_.layer_norm(workspace_.residual.data() + row * stride_, norm.weight.data(),
                      norm.bias.size() > 0 ? norm.bias.data() : nullptr,
                      static_cast<float>(model_.config().layer_norm_epsilon), channels_,
                      workspace_.normalised.data() + to * stride_);
}

void Step::quantise_groups(const PackedMatrix& matrix, const Input& input, std::size_t row,
                           Range groups) const {
  groups.end = std::min(groups.end, matrix.groups());  // 0 if it is not quantised
  if (groups.begin >= groups.end) return;
  std::size_t first = groups.begin * kernels::kGroup;
  std::size_t last = std::min(groups.end * kernels::kGroup, matrix.inputs());
  kernels_.quantise(input.values + row * input.stride + first, last - first, matrix.offset(),
                    input.groups + row * matrix.groups() + groups.begin);
}

void Step::multiply(const PackedMatrix& matrix, Range panels, const Input& input, std::size_t rows,
                    float* out, std::size_t out_stride) const {
  if (matrix.is_quantised()) {
    matrix.multiply(kernels_, panels, input.groups, workspace_.row_factors.data(), rows, out,
                    out_stride);
  } else {
    matrix.multiply(kernels_, panels, input.values, input.stride, rows, out, out_stride);
  }
}

// Of the rows whose attention may be computed by other members than the one that stores here.
void Step::store_split_chunks(Deal::Hand& hand, std::size_t layer) {
  hand.deal(tiles_.size() * kv_.heads, 1, [&](Range range) {
    const Tile& tile = tiles_[range.begin / kv_.heads];
    if (!tile.is_whole()) store_keys_and_values(tile, layer, range.begin % kv_.heads);
  });
}

void Step::store_keys_and_values(const Tile& tile, std::size_t layer, std::size_t head) {
  for (std::size_t r = 0; r < tile.rows; ++r) {
    std::size_t position = tile.first_position() + r;
    std::size_t slot = position % kPagePositions;
    std::byte* page = tile.chunk->pages[position / kPagePositions];
    const float* key = workspace_.qkv.data() + (tile.first_row + r) * qkv_stride_ + channels_ +
                       head * kv_.head_size;
    const float* value = key + channels_;
    auto put = [&]<class Element>(Element* elements) {
      Element* keys = elements + kv_.keys(layer, head) + slot;
      Element* values = elements + kv_.values(layer, head) + slot * kPanelWidth;
      for (std::size_t d = 0; d < kv_.head_size; d += kPanelWidth) {
        std::size_t count = std::min(kPanelWidth, kv_.head_size - d);
        Element run[kPanelWidth];
        store(key + d, count, run);
        for (std::size_t i = 0; i < count; ++i) keys[(d + i) * kPagePositions] = run[i];
        store(value + d, count, values + d * kPagePositions);
      }
    };
    if (kv_.type == NumberFormat::kF32) {
      put(reinterpret_cast<float*>(page));
    } else {
      put(reinterpret_cast<std::uint16_t*>(page));
    }
  }
}

void Step::attend(Deal::Hand& hand, std::size_t layer, const PackedMatrix& matrix) {
  float* scratch = workspace_.scores.data() + hand.index() * scratch_stride_;
  std::size_t head_groups = kv_.head_size / kernels::kGroup;
  bool whole_groups = kv_.head_size % kernels::kGroup == 0;
  hand.deal(tiles_.size() * kv_.heads, 1, [&](Range range) {
    const Tile& tile = tiles_[range.begin / kv_.heads];
    std::size_t head = range.begin % kv_.heads;
    if (tile.is_whole()) store_keys_and_values(tile, layer, head);
    attend_tile(tile, layer, head, scratch);
    for (std::size_t r = 0; r < tile.rows && whole_groups; ++r) {
      quantise_groups(matrix, normalised(), tile.first_row + r,
                      {head * head_groups, (head + 1) * head_groups});
    }
  });
  if (whole_groups || !matrix.is_quantised()) return;
  hand.deal(rows_.size(), 1, [&](Range range) {
    quantise_groups(matrix, normalised(), range.begin, {0, matrix.groups()});
  });
}

// Scores of a tile over all positions up to its last row's, each page a panel; those after a row's
// own position are computed with the others and never read.
void Step::attend_tile(const Tile& tile, std::size_t layer, std::size_t head, float* scratch) {
  float* scores = scratch;
  float* sums = scratch + kTileRows * score_stride_;
  const float* queries =
      workspace_.qkv.data() + tile.first_row * qkv_stride_ + head * kv_.head_size;
  std::size_t first_position = tile.first_position();
  multiply_cached({.x = queries,
                   .x_stride = qkv_stride_,
                   .rows = tile.rows,
                   .k = kv_.head_size,
                   .weights = nullptr,
                   .panel_stride = 0,
                   .panel_table = tile.chunk->pages.data(),
                   .panel_offset = kv_.keys(layer, head) * kv_.element_size(),
                   .panels = padded(first_position + tile.rows) / kPagePositions,
                   .bias = nullptr,
                   .accumulate = false,
                   .out = scores,
                   .out_stride = score_stride_});
  for (std::size_t r = 0; r < tile.rows; ++r) {
    kernels_.softmax(scores + r * score_stride_, first_position + r + 1,
                     model_.layers_[layer].score_scale);
  }
  weighted_sum(tile, layer, head, scores, sums);
  for (std::size_t r = 0; r < tile.rows; ++r) {
    std::copy_n(
        sums + r * padded(kv_.head_size), kv_.head_size,
        workspace_.normalised.data() + (tile.first_row + r) * stride_ + head * kv_.head_size);
  }
}

// sums[r] = sum over positions 0..position(r), ascending, of score * value. The positions that all
// rows of the tile see are taken together, the few that only later rows see row by row.
void Step::weighted_sum(const Tile& tile, std::size_t layer, std::size_t head, const float* scores,
                        float* sums) {
  std::size_t first_position = tile.first_position();
  std::size_t common = first_position + 1;
  std::size_t sum_stride = padded(kv_.head_size);
  auto add = [&](std::size_t row, std::size_t rows, std::size_t begin, std::size_t end) {
    std::size_t values = kv_.values(layer, head) + begin % kPagePositions * kPanelWidth;
    multiply_cached({.x = scores + row * score_stride_ + begin,
                     .x_stride = score_stride_,
                     .rows = rows,
                     .k = end - begin,
                     .weights = cached(tile, begin / kPagePositions, values),
                     .panel_stride = kPagePositions * kPanelWidth,
                     .panels = kv_.value_panels(),
                     .bias = nullptr,
                     .accumulate = begin > 0,
                     .out = sums + row * sum_stride,
                     .out_stride = sum_stride});
  };
  auto page_end = [](std::size_t position) {
    return (position / kPagePositions + 1) * kPagePositions;
  };
  for (std::size_t begin = 0; begin < common; begin = page_end(begin)) {
    add(0, tile.rows, begin, std::min(common, page_end(begin)));
  }
  for (std::size_t r = 1; r < tile.rows; ++r) {
    std::size_t end = first_position + r + 1;
    for (std::size_t begin = common; begin < end; begin = page_end(begin)) {
      add(r, 1, begin, std::min(end, page_end(begin)));
    }
  }
}

void Step::project(Deal::Hand& hand, const PackedMatrix& matrix, const Input& input) {
  hand.deal(matrix.panels(), kPanels, [&](Range panels) {
    multiply(matrix, panels, input, rows_.size(), workspace_.projected.data(), stride_);
    std::size_t begin = panels.begin * kPanelWidth;
    std::size_t end = std::min(panels.end * kPanelWidth, channels_);
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      kernels_.add(workspace_.residual.data() + r * stride_ + begin,
                   workspace_.projected.data() + r * stride_ + begin, end - begin);
    }
  });
}

// A panel of outputs is a group of the next matrix's inputs, so that the panels that a member has
// computed are all that it needs to quantise.
static_assert(kPanelWidth == kernels::kGroup);

void Step::mlp_inner(Deal::Hand& hand, const Model::Layer& layer) {
  auto activate = kernels_.gelu_tanh;
  if (model_.config().activation == checkpoint::Activation::kGeluErf) activate = kernels_.gelu_erf;
  if (model_.config().activation == checkpoint::Activation::kRelu) activate = kernels_.relu;
  hand.deal(layer.mlp_inner.panels(), kPanels, [&](Range panels) {
    multiply(layer.mlp_inner, panels, normalised(), rows_.size(), workspace_.inner.data(),
             inner_stride_);
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      activate(workspace_.inner.data() + r * inner_stride_ + panels.begin * kPanelWidth,
               (panels.end - panels.begin) * kPanelWidth);
      quantise_groups(layer.mlp_projection, inner(), r, panels);
    }
  });
}

void Step::project_logits(Deal::Hand& hand) {
  const PackedMatrix& head = model_.head();
  hand.deal(logits_rows_.size(), 1, [&](Range range) {
    std::size_t i = range.begin;
    normalise_row(model_.final_norm_, logits_rows_[i], i);
    quantise_groups(head, normalised(), i, {0, head.groups()});
    if (head.has_common_part()) {
      workspace_.row_factors[i] =
          head.row_factor(kernels_, workspace_.normalised.data() + i * stride_);
    }
  });
  hand.deal(head.panels(), kPanels, [&](Range panels) {
    multiply(head, panels, normalised(), logits_rows_.size(), workspace_.logits.data(),
             model_.logits_stride());
  });
  if (!use_) return;
  hand.deal(logits_rows_.size(), 1, [&](Range range) { use_(range.begin, hand.index()); });
}

void Model::forward(std::span<const Chunk> chunks, Workspace& workspace, ThreadTeam& team,
                    const UseLogits& use) const {
  Step step(*this, chunks, workspace, team.size(), use);
  team.run([&step](ThreadTeam::Member& member) { step.run(member); });
}

}  // namespace chorus::model

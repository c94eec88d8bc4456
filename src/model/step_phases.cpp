#include "model/step_phases.h"

#include <algorithm>
#include <cassert>

namespace chorus::model {
namespace {

using kernels::kPanelWidth;

// How many panels of a matrix are one piece of work: four of long ones, where fewer or more gain nothing,
// and so many short ones that to take a piece costs little beside its product with so many rows.
std::size_t piece_of(const PackedMatrix& matrix, std::size_t rows) {
  constexpr std::size_t kPanels = 4, kInputs = kPanels * 768;
  return std::max(kPanels, kInputs / (matrix.inputs() * rows));
}

struct GroupBytes {
  std::size_t of_channels = 0, of_inner = 0;
};

// Of one of the rows that are multiplied, at most: 0 where no matrix has groups.
GroupBytes group_bytes_of(const Weights& weights, const kernels::Kernels& kernels) {
  auto of = [&kernels](const PackedMatrix& matrix) {
    return matrix.row_bytes(kernels);
  };
  GroupBytes bytes{.of_channels = of(weights.head())};
  for (const Layer& layer : weights.layers) {
    bytes.of_channels = std::max({bytes.of_channels, of(layer.attention),
                                  of(layer.attention_projection), of(layer.mlp_inner)});
    bytes.of_inner = std::max(bytes.of_inner, of(layer.mlp_projection));
  }
  return bytes;
}

// What the config leaves open. A kind that an enum gets must be computed here (-Wswitch).
auto activation_kernel(const kernels::Kernels& kernels, checkpoint::Activation activation) {
  switch (activation) {
    case checkpoint::Activation::kGeluErf:
      return kernels.activation.gelu_erf;
    case checkpoint::Activation::kRelu:
      return kernels.activation.relu;
    case checkpoint::Activation::kGeluTanh:
      break;
  }
  return kernels.activation.gelu_tanh;
}

void add_position(const kernels::Kernels& kernels, const Model& model, std::size_t position,
                  std::size_t channels, float* x) {
  switch (model.config().position) {
    case checkpoint::Position::kLearned:
      kernels.activation.add(x, model.weights().positions.data() + position * channels, channels);
      break;
  }
}

}  // namespace

StepPhases::StepPhases(const Model& model, const StepRows& rows, Workspace& workspace,
                       std::size_t members, const UseLogits& use)
    : model_(model),
      kernels_(model.kernels()),
      rows_(rows),
      workspace_(workspace),
      use_(use),
      attention_(model.kernels(), model.kv_layout(),
                 static_cast<std::size_t>(model.config().n_head), rows, workspace),
      channels_(static_cast<std::size_t>(model.config().n_embd)) {
  workspace.phases.clear();
  GroupBytes groups = group_bytes_of(model.weights(), kernels_);
  std::size_t heads = attention_.heads() + 2 * attention_.kv_heads();
  workspace.residual.resize(rows.count(), channels_);
  workspace.normalised.resize(rows.count(), channels_, groups.of_channels);
  workspace.qkv.resize(rows.count(), heads * attention_.head_size());
  workspace.projected.resize(rows.count(), channels_);
  workspace.inner.resize(rows.count(), static_cast<std::size_t>(model.config().n_inner),
                         groups.of_inner);
  grow(workspace.attention, members * attention_.scratch_size());
  workspace.logits.resize(rows.logits_rows().size(),
                          static_cast<std::size_t>(model.config().vocab_size));
}

void StepPhases::embed() {
  add(rows_.count(), 1, [this](Range range, std::size_t) {
    const Row& row = rows_[range.begin];
    float* x = workspace_.residual.row(range.begin);
    model_.weights().token_embedding.read_row(static_cast<std::size_t>(row.id), x);
    add_position(kernels_, model_, row.position, channels_, x);
  });
}

void StepPhases::normalise(const Norm& norm, const PackedMatrix& next) {
  add(rows_.count(), 1, [this, &norm, &next](Range range, std::size_t) {
    normalise_row(norm, range.begin, workspace_.normalised.row(range.begin));
    next.prepare(kernels_, workspace_.normalised.input(), range.begin);
  });
}

void StepPhases::normalise_row(const Norm& norm, std::size_t row, float* out) const {
  const float* bias = norm.bias.size() > 0 ? norm.bias.data() : nullptr;
  switch (model_.config().norm) {
    case checkpoint::Norm::kLayerNorm:
      kernels_.norm.layer_norm(workspace_.residual.row(row), norm.weight.data(), bias,
                               static_cast<float>(model_.config().layer_norm_epsilon), channels_,
                               out);
      break;
  }
}

void StepPhases::project_heads(const PackedMatrix& matrix) {
  std::size_t piece = piece_of(matrix, rows_.count());
  add(matrix.panels(), piece, [this, &matrix](Range panels, std::size_t) {
    matrix.multiply(kernels_, panels, workspace_.normalised.input(), rows_.count(),
                    workspace_.qkv.row(0), workspace_.qkv.stride());
  });
}

// A member that computes the attention of a whole chunk stores its keys and values first. Those
// that several items read are stored in a phase of their own.
void StepPhases::attend(std::size_t layer, float score_scale, const PackedMatrix& next) {
  const std::vector<Tile>& tiles = rows_.tiles();
  std::size_t kv_heads = attention_.kv_heads(), heads = attention_.heads();
  bool alone = kv_heads == heads;
  auto is_stored_before = [alone](const Tile& tile) { return !alone || !tile.is_whole; };
  if (std::any_of(tiles.begin(), tiles.end(), is_stored_before)) {
    add(tiles.size() * kv_heads, 1,
        [this, layer, kv_heads, is_stored_before](Range range, std::size_t) {
          const Tile& tile = rows_.tiles()[range.begin / kv_heads];
          if (is_stored_before(tile)) attention_.store(tile, layer, range.begin % kv_heads);
        });
  }
  std::size_t head_groups = attention_.head_size() / kernels::kGroup;
  bool whole_groups = attention_.head_size() % kernels::kGroup == 0;
  add(tiles.size() * heads, 1,
      [this, layer, score_scale, heads, is_stored_before, head_groups, whole_groups, &next](
          Range range, std::size_t member) {
        const Tile& tile = rows_.tiles()[range.begin / heads];
        std::size_t head = range.begin % heads;
        if (!is_stored_before(tile)) attention_.store(tile, layer, head);
        attention_.attend(tile, layer, head, score_scale,
                          workspace_.attention.data() + member * attention_.scratch_size());
        for (std::size_t r = 0; r < tile.rows && whole_groups; ++r) {
          next.prepare(kernels_, workspace_.normalised.input(), tile.first_row + r,
                       {head * head_groups, (head + 1) * head_groups});
        }
      });
  if (whole_groups || next.groups() == 0) return;
  add(rows_.count(), 1, [this, &next](Range range, std::size_t) {
    next.prepare(kernels_, workspace_.normalised.input(), range.begin);
  });
}

// A panel of outputs is a group of the next matrix's inputs, so that the panels that a member has
// computed are all that it needs to prepare.
static_assert(kPanelWidth == kernels::kGroup);

void StepPhases::activate(const PackedMatrix& matrix, const PackedMatrix& next) {
  auto kernel = activation_kernel(kernels_, model_.config().activation);
  std::size_t piece = piece_of(matrix, rows_.count());
  add(matrix.panels(), piece, [this, kernel, &matrix, &next](Range panels, std::size_t) {
    MatrixInputBuffer& inner = workspace_.inner;
    matrix.multiply(kernels_, panels, workspace_.normalised.input(), rows_.count(), inner.row(0),
                    inner.input().stride);
    for (std::size_t r = 0; r < rows_.count(); ++r) {
      kernel(inner.row(r) + panels.begin * kPanelWidth, (panels.end - panels.begin) * kPanelWidth);
      next.prepare(kernels_, inner.input(), r, panels);
    }
  });
}

void StepPhases::add_product(const PackedMatrix& matrix, MatrixInputBuffer& input) {
  std::size_t piece = piece_of(matrix, rows_.count());
  add(matrix.panels(), piece, [this, &matrix, &input](Range panels, std::size_t) {
    RowBuffer& product = workspace_.projected;
    matrix.multiply(kernels_, panels, input.input(), rows_.count(), product.row(0),
                    product.stride());
    std::size_t begin = panels.begin * kPanelWidth;
    std::size_t end = std::min(panels.end * kPanelWidth, channels_);
    for (std::size_t r = 0; r < rows_.count(); ++r) {
      kernels_.activation.add(workspace_.residual.row(r) + begin, product.row(r) + begin,
                              end - begin);
    }
  });
}

void StepPhases::logits(const Norm& norm, const PackedMatrix& head) {
  std::size_t count = rows_.logits_rows().size();
  if (count == 0) return;
  add(count, 1, [this, &norm, &head](Range range, std::size_t) {
    std::size_t i = range.begin;
    normalise_row(norm, rows_.logits_rows()[i], workspace_.normalised.row(i));
    head.prepare(kernels_, workspace_.normalised.input(), i);
  });
  add(head.panels(), piece_of(head, count), [this, count, &head](Range panels, std::size_t) {
    head.multiply(kernels_, panels, workspace_.normalised.input(), count, workspace_.logits.row(0),
                  workspace_.logits.stride());
  });
  if (!use_) return;
  add(count, 1, [this](Range range, std::size_t member) {
    auto vocabulary = static_cast<std::size_t>(model_.config().vocab_size);
    use_(range.begin, {workspace_.logits.row(range.begin), vocabulary}, member);
  });
}

}  // namespace chorus::model

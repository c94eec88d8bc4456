// A model's weights, packed for the kernels. Immutable once loaded, and shared.
#pragma once

#include <memory>
#include <vector>

#include "model/packed_matrix.h"
#include "model/quantise.h"

namespace chorus::model {

struct Norm {
  AlignedBuffer<float> weight;  // [C]
  AlignedBuffer<float> bias;    // [C], or empty
};

struct Layer {
  Norm attention_norm, mlp_norm;
  PackedMatrix attention;             // queries, keys and values of all heads, of C
  PackedMatrix attention_projection;  // [C, C]
  PackedMatrix mlp_inner;             // [F, C]
  PackedMatrix mlp_projection;        // [C, F]
  float score_scale;
};

struct Weights {
  PackedMatrix token_embedding;    // [V, C]; also the head if tied
  PackedMatrix untied_head;        // [V, C], empty if tied
  AlignedBuffer<float> positions;  // [T, C]
  std::vector<Layer> layers;
  Norm final_norm;
  std::vector<std::shared_ptr<const void>> owners;  // of the memory that matrices view

  bool is_finite = true;  // no NaN or infinity is among them

  const PackedMatrix& head() const {
    return untied_head.outputs() > 0 ? untied_head : token_embedding;
  }
  std::size_t bytes() const;
  // Those that a step multiplies by, each once.
  std::vector<const PackedMatrix*> step_matrices() const;
  // All of them, as they are computed with.
  void add_to(ContentHash& hash) const;
};

// What becomes of the matrices of a quantised checkpoint: they are viewed, and its owners kept, or
// copied.
enum class QuantisedMemory { kViewed, kCopied };

// Packs a checkpoint's matrices as `format`; biases, norms and positions stay f32. Those of a
// quantised checkpoint must be of that format. Throws std::bad_alloc.
Weights pack(const checkpoint::Checkpoint& checkpoint, NumberFormat format, QuantisedMemory memory,
             ThreadTeam& team, const LoadProgress& progress);

}  // namespace chorus::model

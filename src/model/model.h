// GPT-2: the weights, packed for the kernels, and one forward step over rows of any sequences.
// Knows nothing of who asked, of sampling or of how pages are allotted.
//
// Thread contract: a Model is immutable once loaded, and shared. A Workspace and a ThreadTeam
// belong to one step at a time.
//
// Dimensions: R rows of a step, C n_embd, F n_inner, V vocab_size, T block_size, NH heads, HS head
// size (C / NH).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "core/thread_team.h"
#include "kernels/kernels.h"
#include "model/kv_pages.h"
#include "model/packed_matrix.h"
#include "model/quantise.h"

namespace chorus::model {

// Consecutive tokens of one sequence: the rows of a step are the rows of its chunks, in order.
struct Chunk {
  std::span<const std::int32_t> ids;
  std::size_t position;  // of ids[0]; every position before it is in the pages
  // Each of kv_layout().page_bytes(), aligned to 64 bytes; they reach at least to the last position
  // of the chunk.
  std::span<std::byte* const> pages;
  std::size_t logits_from;  // rows of this chunk from this index on get logits
};

// The buffers of a step; they grow to what the largest step so far has needed.
struct Workspace {
  AlignedBuffer<float> residual;                            // [R][padded(C)]
  AlignedBuffer<float> normalised;                          // [R][padded(C)]
  AlignedBuffer<float> projected;                           // [R][padded(C)]
  AlignedBuffer<float> qkv;                                 // [R][padded(3C)]
  AlignedBuffer<float> inner;                               // [R][padded(F)]
  AlignedBuffer<kernels::ActivationGroup> quantised;        // [R][groups] of normalised
  AlignedBuffer<kernels::ActivationGroup> quantised_inner;  // [R][groups] of inner
  AlignedBuffer<float> row_factors;                         // [rows that get logits]
  AlignedBuffer<float> scores;                              // a score tile for each thread
  AlignedBuffer<float> logits;                              // [rows that get logits][padded(V)]
};

class Model {
 public:
  // Packs a checkpoint's weights. Matrices are held as `type`; biases, layer norms and positions
  // stay f32. A quantised checkpoint's matrices are not copied: the model keeps its owners instead.
  // Errors: kUnsupported (no memory, or a quantised checkpoint of another type), kInvalidArgument
  // (CHORUS_ISA).
  static Result<std::unique_ptr<const Model>> load(const checkpoint::Checkpoint& checkpoint,
                                                   NumberFormat type, ThreadTeam& team,
                                                   const LoadProgress& progress = {});

  const checkpoint::ModelConfig& config() const { return config_; }
  const kernels::Kernels& kernels() const { return *kernels_; }
  const KvLayout& kv_layout() const { return kv_; }
  NumberFormat weight_type() const { return type_; }
  std::size_t weight_bytes() const;

  // Runs the chunks through the model: their keys and values are written to their pages, and the
  // logits of the rows that want them to workspace.logits, in row order, logits_stride() apart.
  // The caller has checked ids < V and positions < T.
  // Then `use`, if there is one, gets each row that has logits, once, on any member of the team.
  using UseLogits = std::function<void(std::size_t logits_row, std::size_t member)>;
  void forward(std::span<const Chunk> chunks, Workspace& workspace, ThreadTeam& team,
               const UseLogits& use = {}) const;

  std::size_t logits_stride() const { return padded(static_cast<std::size_t>(config_.vocab_size)); }

 private:
  friend class Step;

  struct LayerNorm {
    AlignedBuffer<float> weight;  // [C]
    AlignedBuffer<float> bias;    // [C], or empty
  };
  struct Layer {
    LayerNorm attention_norm, mlp_norm;
    PackedMatrix attention;             // [3C, C]: queries, keys, values
    PackedMatrix attention_projection;  // [C, C]
    PackedMatrix mlp_inner;             // [F, C]
    PackedMatrix mlp_projection;        // [C, F]
    float score_scale;
  };

  Model(const checkpoint::ModelConfig& config, const kernels::Kernels& kernels, NumberFormat type);
  void pack(const checkpoint::Checkpoint& checkpoint, ThreadTeam& team,
            const LoadProgress& progress);

  const PackedMatrix& head() const {
    return config_.tie_word_embeddings ? token_embedding_ : head_;
  }

  checkpoint::ModelConfig config_;
  const kernels::Kernels* kernels_;
  NumberFormat type_;
  KvLayout kv_;
  AlignedBuffer<float> positions_;  // [T, C]
  PackedMatrix token_embedding_;    // [V, C]; also the head if tied
  PackedMatrix head_;               // [V, C], empty if tied
  std::vector<Layer> layers_;
  LayerNorm final_norm_;
  std::vector<std::shared_ptr<const void>> owners_;  // of the memory that quantised matrices view
};

}  // namespace chorus::model

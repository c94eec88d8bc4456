// A model in memory: the weights, packed for the kernels, and one forward step over rows of any
// sequences. Knows nothing of who asked, of sampling, or of which page is whose.
//
// Thread contract: a Model is immutable once loaded, and shared. A KvStore, a Workspace and a
// ThreadTeam belong to one step at a time.
//
// Dimensions: R rows of a step, C n_embd, F n_inner, V vocab_size, T block_size, NH heads, HS head
// size (C / NH).
#pragma once

#include <memory>
#include <span>

#include "checkpoint/checkpoint.h"
#include "core/thread_team.h"
#include "kernels/kernels.h"
#include "model/chunk.h"
#include "model/kv_store.h"
#include "model/weights.h"
#include "model/workspace.h"

namespace chorus::model {

class Model {
 public:
  // Packs a checkpoint's weights. Matrices are held as `type`; biases, norms and positions stay
  // f32. A quantised checkpoint's matrices are copied, or with kViewed kept where they are.
  // Errors: kOutOfMemory, kUnsupported (a quantised checkpoint of another type), kInvalidArgument
  // (CHORUS_ISA).
  static Result<std::unique_ptr<const Model>> load(
      const checkpoint::Checkpoint& checkpoint, NumberFormat type, ThreadTeam& team,
      const LoadProgress& progress = {}, QuantisedMemory memory = QuantisedMemory::kViewed);

  const checkpoint::ModelConfig& config() const { return config_; }
  const kernels::Kernels& kernels() const { return *kernels_; }
  const KvLayout& kv_layout() const { return kv_layout_; }
  NumberFormat weight_type() const { return type_; }
  const Weights& weights() const { return weights_; }

  // Runs the chunks through the model: their keys and values are written to their pages of `store`,
  // which is of kv_layout(), and each row of logits goes to `use`, if there is one. The caller has
  // checked ids < V and positions < T. `first` is called on this thread while the team's others have
  // begun. Throws std::bad_alloc before anything is computed or called.
  void forward(std::span<const Chunk> chunks, KvStore& store, Workspace& workspace,
               ThreadTeam& team, const UseLogits& use = {},
               const std::function<void()>& first = {}) const;

 private:
  Model(const checkpoint::ModelConfig& config, const kernels::Kernels& kernels, NumberFormat type,
        Weights weights);

  checkpoint::ModelConfig config_;
  const kernels::Kernels* kernels_;
  NumberFormat type_;
  KvLayout kv_layout_;
  Weights weights_;
};

}  // namespace chorus::model

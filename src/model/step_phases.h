// The parts that an architecture's forward step is put together from. Each adds one phase of work,
// or a few, to the step; gpt2.cpp says in which order. What the config leaves open, such as which
// function an MLP applies, is chosen here. Phases are shared among a team's members in rows, output
// panels or (tile, head) items; no split changes a bit (docs/numerics.md). Within a phase a member
// allocates nothing and locks nothing.
//
// Thread contract: one for each step, put together by the thread that runs the team.
#pragma once

#include <vector>

#include "core/work_stealing.h"
#include "model/attention.h"
#include "model/model.h"

namespace chorus::model {

class StepPhases {
 public:
  // Throws std::bad_alloc. `use` may be empty.
  StepPhases(const Model& model, const StepRows& rows, Workspace& workspace, std::size_t members,
             const UseLogits& use);

  // residual = the tokens' rows of the embedding, and their positions'.
  void embed();
  // normalised = norm(residual), ready for a multiplication by `next`.
  void normalise(const Norm& norm, const PackedMatrix& next);
  // qkv = matrix * normalised.
  void project_heads(const PackedMatrix& matrix);
  // Keys and values to their pages; normalised = the heads' sums, ready for `next`.
  void attend(std::size_t layer, float score_scale, const PackedMatrix& next);
  // inner = activation(matrix * normalised), ready for `next`.
  void activate(const PackedMatrix& matrix, const PackedMatrix& next);
  // residual += matrix * normalised, or * inner.
  void add_attention(const PackedMatrix& matrix) { add_product(matrix, workspace_.normalised); }
  void add_mlp(const PackedMatrix& matrix) { add_product(matrix, workspace_.inner); }
  // logits = head * norm(residual), of the rows that want them, each of which then goes to `use`.
  void logits(const Norm& norm, const PackedMatrix& head);

  const std::vector<Phase>& phases() const { return workspace_.phases; }

 private:
  template <class Work>
  void add(std::size_t items, std::size_t piece, Work work) {
    if (items > 0) workspace_.phases.push_back({items, piece, work});
  }
  void add_product(const PackedMatrix& matrix, MatrixInputBuffer& input);
  void normalise_row(const Norm& norm, std::size_t row, float* out) const;

  const Model& model_;
  const kernels::Kernels& kernels_;
  const StepRows& rows_;
  Workspace& workspace_;
  const UseLogits& use_;
  Attention attention_;
  std::size_t channels_;
};

}  // namespace chorus::model

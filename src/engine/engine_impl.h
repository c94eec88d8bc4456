// What an Engine holds, for the files that implement it: engine.cpp, generate.cpp, score.cpp.
#pragma once

#include <mutex>
#include <string>

#include "chorus/engine.h"
#include "core/thread_team.h"
#include "engine/kv_sequence.h"
#include "model/model.h"

namespace chorus {

// Prompts are read this many rows at a time, which bounds the buffers of a step.
inline constexpr std::size_t kPrefillRows = 256;

struct Engine::Impl {
  explicit Impl(std::size_t threads) : team(threads) {}

  // Runs `ids`, the sequence's tokens from `position` on, in pieces; calls `use(row, logits)` with
  // the [vocab_size] logits of every row from index `logits_from` of `ids` on, in order, until it
  // returns an error. The pages must have been reserved.
  using UseLogits = std::function<Result<void>(std::size_t row, std::span<const float> logits)>;
  Result<void> forward(std::span<const std::int32_t> ids, std::size_t position,
                       engine::KvSequence& sequence, std::size_t logits_from, const UseLogits& use);

  // Whether every id is one of the model's. Errors: kInvalidArgument, with the id and its place.
  Result<void> check_ids(std::span<const std::int32_t> ids, const char* field) const;

  std::mutex turn;  // guards team and workspace
  ThreadTeam team;
  model::Workspace workspace;
  std::unique_ptr<const model::Model> model;
  ModelInfo info;
};

}  // namespace chorus

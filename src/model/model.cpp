#include "model/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <new>

#include "core/memory.h"
#include "model/gpt2.h"
#include "model/weight_memory.h"

namespace chorus::model {
namespace {

using checkpoint::Checkpoint;
using checkpoint::ModelConfig;

// Quantised weights come with keys and values of half the size: their rounding is far below that of
// the weights.
NumberFormat kv_format(NumberFormat weights) {
  return is_quantised(weights) ? NumberFormat::kBf16 : NumberFormat::kF32;
}

[[maybe_unused]] bool is_within(const Chunk& chunk, const ModelConfig& config) {
  return chunk.position + chunk.ids.size() <= static_cast<std::size_t>(config.block_size) &&
         std::all_of(chunk.ids.begin(), chunk.ids.end(),
                     [&config](std::int32_t id) { return id >= 0 && id < config.vocab_size; });
}

}  // namespace

Model::Model(const ModelConfig& config, const kernels::Kernels& kernels, NumberFormat type,
             Weights weights)
    : config_(config),
      kernels_(&kernels),
      type_(type),
      kv_layout_(config, kv_format(type)),
      weights_(std::move(weights)) {}

Result<std::unique_ptr<const Model>> Model::load(const Checkpoint& checkpoint, NumberFormat type,
                                                 ThreadTeam& team, const LoadProgress& progress,
                                                 QuantisedMemory memory) {
  CHORUS_TRY(auto kernels, kernels::choose_kernels());
  auto found = checkpoint::quantised_format(checkpoint);
  if (found && type != *found) {
    return Error{ErrorCode::kUnsupported,
                 checkpoint.path + ": holds " + number_format_name(*found) +
                     " weights, which cannot be held as " + number_format_name(type) +
                     ": leave the type out, or convert the original"};
  }
  try {
    Weights weights;
    if (is_quantised(type) && !found) {
      Checkpoint quantised = quantise(checkpoint, type, team, progress);
      weights = pack(quantised, type, QuantisedMemory::kViewed, team, {});
      weights.is_finite = !checkpoint::find_nonfinite(quantised);
    } else {
      weights = pack(checkpoint, type, memory, team, progress);
      if (found && checkpoint::find_nonfinite(checkpoint)) weights.is_finite = false;
    }
    return std::unique_ptr<const Model>(
        new Model(checkpoint.config, *kernels, type, std::move(weights)));
  } catch (const std::bad_alloc&) {
    return with_smaller_types(
        {ErrorCode::kOutOfMemory,
         fmt::format("{}: not enough memory for the weights, which take {} as {}: {}",
                     checkpoint.path, megabytes_text(weight_bytes(checkpoint, type)),
                     number_format_name(type), describe_memory())},
        checkpoint);
  }
}

void Model::forward(std::span<const Chunk> chunks, KvStore& store, Workspace& workspace,
                    ThreadTeam& team, const UseLogits& use,
                    const std::function<void()>& first) const {
  assert(store.layout().page_bytes() == kv_layout_.page_bytes());
  for ([[maybe_unused]] const Chunk& chunk : chunks) assert(is_within(chunk, config_));
  StepRows rows(chunks, store);
  StepPhases step(*this, rows, workspace, team.size(), use);
  gpt2(weights_, step);
  run_phases(team, step.phases(), first);
}

}  // namespace chorus::model

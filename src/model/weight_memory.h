// How much memory a checkpoint's weights and a step over them take. Pure functions.
#pragma once

#include <cstdint>

#include "checkpoint/checkpoint.h"
#include "core/memory_claim.h"

namespace chorus::model {

// Bytes, nearly, of its weights held as `type`. (Quantised ones are held as they are.)
std::uint64_t weight_bytes(const checkpoint::Checkpoint& checkpoint, NumberFormat type);

// The same, named.
MemoryPart weights_part(const checkpoint::Checkpoint& checkpoint, NumberFormat type);

// `error`, with what int8 and int4 would take, if the checkpoint can be quantised.
Error with_smaller_types(Error error, const checkpoint::Checkpoint& checkpoint);

// Bytes, nearly, of the buffers of a step of so many rows, of which all get logits (workspace.h).
std::uint64_t step_bytes(const checkpoint::ModelConfig& config, std::size_t rows);

}  // namespace chorus::model

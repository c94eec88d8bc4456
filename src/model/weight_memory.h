// How much memory a checkpoint's weights take, and whether there can be as much. Pure functions.
#pragma once

#include <cstdint>

#include "checkpoint/checkpoint.h"
#include "chorus/result.h"

namespace chorus::model {

// Bytes, nearly, of its weights held as `type`. (Quantised ones are held as they are.)
std::uint64_t weight_bytes(const checkpoint::Checkpoint& checkpoint, NumberFormat type);

// kOutOfMemory, with what each type takes, if that is more than `most` bytes. 0: not known.
Result<void> check_memory(const checkpoint::Checkpoint& checkpoint, NumberFormat type,
                          std::uint64_t most);

}  // namespace chorus::model

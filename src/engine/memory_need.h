// How much memory an Engine will take, and whether there can be as much, before anything of it is read. Any
// thread.
#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "chorus/engine.h"
#include "core/memory_claim.h"

namespace chorus::engine {

// How the weights will be held.
NumberFormat weight_format(const checkpoint::Checkpoint& checkpoint, const EngineOptions& options);

// The weights, unless they lie where the file is mapped, and the keys and values, if their bound was given.
std::vector<MemoryPart> memory_need(const checkpoint::Checkpoint& checkpoint,
                                    const EngineOptions& options);

// Claims that. Errors: kOutOfMemory, with every part, what there is, and what would take less.
Result<MemoryClaim> claim_memory(const checkpoint::Checkpoint& checkpoint,
                                 const EngineOptions& options);

// How many pages of keys and values there may be. Where no bound is given: in a quarter of what is free, and
// of what no other engine of this process has claimed; or as many as one text of the model's block needs, if
// a quarter is less and there is as much. Errors: kInvalidArgument, kOutOfMemory: not one.
Result<std::size_t> kv_pages(const EngineOptions& options, std::size_t page_bytes,
                             std::size_t pages_of_text);

}  // namespace chorus::engine

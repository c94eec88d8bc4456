// What a server's models, their keys and values, steps and the buffers of its clients take together, and whether
// there can be as much: reckoned from the models' headers, before any of them is loaded.
#pragma once

#include <string>

#include "cli/serve_options.h"
#include "core/memory_claim.h"

namespace chorus::cli {

struct ServeMemory {
  std::string text;     // a line for people; empty if the system does not say what there is
  MemoryClaim buffers;  // to be kept while the server runs
};

// Sets what the user left open: --kv-memory, a quarter of what is free beside the weights, and
// --max-buffer-total, at most a quarter of what is left there. Models that are not on this machine yet
// are left out; they are asked about when they are loaded. So are those that cannot be opened.
// Errors: kOutOfMemory, with each part.
Result<ServeMemory> plan_memory(ServeOptions& options);

}  // namespace chorus::cli

// A model whose weights lie in several files of one folder, with an index that says which tensor is
// in which: {"metadata": {...}, "weight_map": {TENSOR: FILE, ...}}. Reads files; keeps nothing.
#pragma once

#include <string>

#include "checkpoint/raw.h"

namespace chorus::checkpoint {

// Moves the tensors of `part`, and what keeps them, into `raw`. `path` names the file that the part
// comes from. Errors: kCorrupt for a tensor that is there already.
Result<void> merge(RawCheckpoint part, const std::string& path, RawCheckpoint& raw);

// Adds the tensors of all shards to `raw`; each shard may be of either format.
// Errors: as open()'s; kCorrupt for an index that is wrong, or names what is not a file of the
// folder itself.
Result<void> read_shards(const std::string& index_path, RawCheckpoint& raw);

}  // namespace chorus::checkpoint

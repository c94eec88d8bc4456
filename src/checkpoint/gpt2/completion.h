// A whole config out of the fields that a file states and the shapes of its tensors. Pure function.
#pragma once

#include <map>
#include <string>

#include "checkpoint/raw.h"

namespace chorus::checkpoint {

// `tensors` by their plain names, matrices as [outputs, inputs]. A field that is stated stands,
// even where a shape disagrees: the check of shapes finds that. tie_word_embeddings is left as
// stated, or true. Errors: kCorrupt for a size out of its limits or a tensor that is needed for a
// size and missing; kInvalidArgument if n_head cannot be told, or is told twice and differs.
Result<ModelConfig> complete_config(const ConfigFields& stated,
                                    const std::map<std::string, Tensor>& tensors,
                                    const OpenOptions& options);

}  // namespace chorus::checkpoint

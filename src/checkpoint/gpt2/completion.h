// A whole config out of the fields that a file states and the shapes of its tensors. Pure function.
#pragma once

#include <map>
#include <string>

#include "checkpoint/raw.h"

namespace chorus::checkpoint {

struct CompleteConfig {
  ModelConfig config;
  ValueSources sources;            // of every field but tie_word_embeddings, if it is not stated
  std::vector<std::string> notes;  // what was decided that the file leaves open
};

// `tensors` by their plain names, matrices as [outputs, inputs]. A field that is stated stands,
// even where a shape disagrees: the check of shapes finds that. tie_word_embeddings is left as
// stated, or true.
//
// Heads that are not stated are those of a stated head size; those of the preset that the file
// names; the option's; transformers' default of 12, for a config.json; of a model of a known shape
// (minGPT's presets) its own; else heads of 64 channels. The last two are assumptions. An
// activation that is not stated is the kind's: nanoGPT's gelu (erf), gelu_new (tanh) for all others.
//
// Errors: kCorrupt for a size out of its limits or a tensor that is needed for a size and missing;
// kUnsupported for keys and values of fewer heads; kInvalidArgument if n_head cannot be told, or is
// told twice and differs.
Result<CompleteConfig> complete_config(const ConfigFields& stated,
                                       const std::map<std::string, Tensor>& tensors,
                                       const OpenOptions& options);

}  // namespace chorus::checkpoint

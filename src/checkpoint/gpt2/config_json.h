// The config of a GPT-2 as Hugging Face writes it (transformers' GPT2Config, version 4), read and
// written. What the fields mean is config_fields.h's. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "checkpoint/raw.h"

namespace chorus::checkpoint {

// Fields that the text leaves out get GPT2Config's defaults where a Checkpoint cannot be assembled
// without them: the biases, n_inner, tie_word_embeddings. One field more than GPT2Config's is known:
// "bias": false, for models without biases.
// Errors: kCorrupt for bad JSON; read_config_fields()'s.
Result<ConfigFields> parse_config_json(std::string_view text);

// One line, the same bytes for the same config; parse_config_json gives it back exactly.
std::string config_to_json(const ModelConfig& config);

}  // namespace chorus::checkpoint

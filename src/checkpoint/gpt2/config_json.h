// The config of a GPT-2 as Hugging Face writes it (transformers' GPT2Config, version 4), read and
// written. Reading is strict about every field that changes the mathematics and passes over the
// rest (dropout, initialisation, token ids, generation defaults). Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "checkpoint/raw.h"

namespace chorus::checkpoint {

// Fields that the text leaves out get GPT2Config's defaults where shapes cannot tell them: n_head,
// the biases, the activation and the scaling of scores. One field more than GPT2Config's is known:
// "bias": false, for models without biases.
//
// reorder_and_upcast_attn asks for scores scaled before the mask and a softmax in f32. Both are
// always so here: it is honoured whatever its value.
//
// Errors: kCorrupt for bad JSON, a wrong type or a size out of range; kUnsupported for another
// model_type, activation_function, add_cross_attention or a quantization_config. All by field name.
Result<ConfigFields> parse_config_json(std::string_view text);

// One line, the same bytes for the same config; parse_config_json gives it back exactly.
std::string config_to_json(const ModelConfig& config);

}  // namespace chorus::checkpoint

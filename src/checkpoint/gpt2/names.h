// The names and shapes of GPT-2's tensors, see Checkpoint for the list. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {

struct ExpectedTensor {
  std::string name;
  std::vector<std::int64_t> shape;  // matrices as [outputs, inputs]
};

// Without the biases if the config has none; without lm_head.weight.
std::vector<ExpectedTensor> tensors_outside_layers(const ModelConfig& config);
std::vector<ExpectedTensor> tensors_of_layer(const ModelConfig& config, std::int64_t layer);

// A file's name for one of GPT-2's tensors, taken apart. Training programs wrap modules, and each
// wrapper puts its attribute into the names of what it holds, in front or between:
//   "_orig_mod.policy.h.3._checkpoint_wrapped_module.attn.c_attn.weight"
// is "h.3.attn.c_attn.weight" of the model under "policy".
struct SplitName {
  std::string plain;   // GPT-2's own name, or h.{layer} with a rest that GPT-2 does not have
  std::string prefix;  // what stood before it, without wrappers; often empty
};

// Nothing for a name in which no name of GPT-2's begins.
std::optional<SplitName> split_name(std::string_view file_name);

// Whether the name belongs to an average of the weights over the training (EMA, SWA), which stands
// beside the weights themselves.
bool is_of_an_average(std::string_view file_name);

// The rest of a name of the form "h.{layer}.{rest}"; empty for any other.
struct LayerName {
  std::int64_t layer;
  std::string_view rest;
};
std::optional<LayerName> split_layer(std::string_view name);

// The causal masks that old checkpoints carry: h.{i}.attn.bias, h.{i}.attn.masked_bias and others.
bool is_mask_buffer(std::string_view name);

// The matrices that Hugging Face stores as [inputs, outputs].
bool is_conv1d_weight(std::string_view name);

}  // namespace chorus::checkpoint

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

// `name` without any "_orig_mod.", "module." and "transformer." in front, in whatever order:
// what torch.compile, DistributedDataParallel and transformers put there.
std::string_view without_prefixes(std::string_view name);

// The rest of a name of the form "h.{layer}.{rest}"; empty for any other.
struct LayerName {
  std::int64_t layer;
  std::string_view rest;
};
std::optional<LayerName> split_layer(std::string_view name);

// The causal masks that old checkpoints carry: h.{i}.attn.bias and h.{i}.attn.masked_bias.
bool is_mask_buffer(std::string_view name);

// The matrices that Hugging Face stores as [inputs, outputs].
bool is_conv1d_weight(std::string_view name);

}  // namespace chorus::checkpoint

// A checkpoint with random weights, made in memory: for tests of what computes with one.
#pragma once

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "tokenizer/byte_level_bpe.h"

namespace chorus::test {

class TinyModel {
 public:
  explicit TinyModel(const checkpoint::ModelConfig& config, unsigned seed = 1) : generator_(seed) {
    checkpoint_.path = "tiny";
    checkpoint_.format = "pytorch";
    checkpoint_.config = config;
    checkpoint_.tokenizer = tokenizer::Tokenizer::gpt2();
    if (config.vocab_size > tokenizer::kEndOfText) {
      checkpoint_.token_ids = {
          .bos = tokenizer::kEndOfText, .eos = {tokenizer::kEndOfText}, .pad = {}};
    }
    std::int64_t c = config.n_embd;
    add("wte.weight", {config.vocab_size, c}, 0.3f);
    add("wpe.weight", {config.block_size, c}, 0.1f);
    for (std::int64_t i = 0; i < config.n_layer; ++i) add_layer("h." + std::to_string(i) + ".");
    add_norm("ln_f");
    if (!config.tie_word_embeddings) add("lm_head.weight", {config.vocab_size, c}, 0.3f);
  }

  checkpoint::Checkpoint& checkpoint() { return checkpoint_; }

 private:
  void add_layer(const std::string& layer) {
    const checkpoint::ModelConfig& config = checkpoint_.config;
    add_norm(layer + "ln_1");
    add_norm(layer + "ln_2");
    add_linear(layer + "attn.c_attn", 3 * config.n_embd, config.n_embd);
    add_linear(layer + "attn.c_proj", config.n_embd, config.n_embd);
    add_linear(layer + "mlp.c_fc", config.n_inner, config.n_embd);
    add_linear(layer + "mlp.c_proj", config.n_embd, config.n_inner);
  }
  void add_norm(const std::string& name) {
    add(name + ".weight", {checkpoint_.config.n_embd}, 0.2f, 1.0f);
    if (checkpoint_.config.bias) add(name + ".bias", {checkpoint_.config.n_embd}, 0.1f);
  }
  void add_linear(const std::string& name, std::int64_t outputs, std::int64_t inputs) {
    add(name + ".weight", {outputs, inputs}, 0.15f);
    if (checkpoint_.config.bias) add(name + ".bias", {outputs}, 0.1f);
  }
  void add(const std::string& name, std::vector<std::int64_t> shape, float deviation,
           float mean = 0.0f) {
    checkpoint::Tensor tensor;
    tensor.shape = shape;
    tensor.strides.assign(shape.size(), 1);
    if (shape.size() == 2) tensor.strides[0] = shape[1];
    auto values = std::make_shared<std::vector<float>>(tensor.element_count());
    std::normal_distribution<float> normal(mean, deviation);
    for (float& value : *values) value = normal(generator_);
    tensor.data = std::as_bytes(std::span<const float>(*values));
    checkpoint_.owners.push_back(values);
    checkpoint_.tensors[name] = tensor;
  }

  std::mt19937 generator_;
  checkpoint::Checkpoint checkpoint_;
};

// Odd sizes everywhere: head size 10, nothing a multiple of 32, more than one page of positions.
inline checkpoint::ModelConfig odd_config() {
  return {.block_size = 77,
          .vocab_size = 131,
          .n_layer = 2,
          .n_head = 3,
          .n_embd = 30,
          .n_inner = 101,
          .activation = checkpoint::Activation::kGeluTanh,
          .layer_norm_epsilon = 1e-5,
          .bias = true,
          .tie_word_embeddings = true,
          .scale_attn_weights = true,
          .scale_attn_by_inverse_layer_idx = false};
}

}  // namespace chorus::test

// What a model computes, said by fields: sizes, and the kind of each part. GPT-2's is the default.
// Plain data.
//
// Dimensions: V vocab_size, T block_size, C n_embd, NH n_head, L n_layer, F n_inner.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace chorus::checkpoint {

// Each lists the kinds that are computed. A kind that a checkpoint states and that is not listed is
// refused by its name (gpt2/config_fields.h); an architecture that brings one adds it here.
enum class Norm { kLayerNorm };                        // before attention and MLP, and at the end
enum class Position { kLearned };                      // a row of wpe added to each token's of wte
enum class KeyValueHeads { kOnePerHead };              // NH of keys and values, as of queries
enum class Activation { kGeluTanh, kGeluErf, kRelu };  // between the MLP's two matrices

struct ModelConfig {
  std::int64_t block_size = 1024;   // T
  std::int64_t vocab_size = 50257;  // V, padding included
  std::int64_t n_layer = 12;        // L
  std::int64_t n_head = 12;         // NH
  std::int64_t n_embd = 768;        // C
  std::int64_t n_inner = 3072;      // F
  Norm norm = Norm::kLayerNorm;
  Position position = Position::kLearned;
  KeyValueHeads key_value_heads = KeyValueHeads::kOnePerHead;
  Activation activation = Activation::kGeluTanh;
  double layer_norm_epsilon = 1e-5;
  bool bias = true;                              // Linear and LayerNorm biases exist
  bool tie_word_embeddings = true;               // lm_head.weight is wte.weight
  bool scale_attn_weights = true;                // scores / sqrt(C / NH)
  bool scale_attn_by_inverse_layer_idx = false;  // scores of layer i also / (i + 1)
};

// transformers' names: "gelu_new" (tanh), "gelu" (erf), "relu".
const char* activation_name(Activation activation);

// An activation by any of the names that libraries have for it ("gelu_pytorch_tanh", "NewGELU",
// "nn.GELU()"); nothing for one that is not computed here.
std::optional<Activation> parse_activation(std::string_view name);

}  // namespace chorus::checkpoint

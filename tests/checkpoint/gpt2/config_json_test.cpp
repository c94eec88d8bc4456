#include "checkpoint/gpt2/config_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/safetensors_writer.h"

namespace chorus::checkpoint {
namespace {

using testing::HasSubstr;

ConfigFields parse(const std::string& text) {
  auto fields = parse_config_json(text);
  EXPECT_TRUE(fields) << fields.assume_error().message;
  return fields ? fields.assume_value() : ConfigFields{};
}

TEST(ConfigJson, ReadsTheSizesAndGivesTheRestGpt2sDefaults) {
  ConfigFields fields = parse(test::tiny_config());
  EXPECT_EQ(fields.block_size, 4);
  EXPECT_EQ(fields.vocab_size, 6);
  EXPECT_EQ(fields.n_layer, 2);
  EXPECT_EQ(fields.n_head, 2);
  EXPECT_EQ(fields.n_embd, 4);
  EXPECT_EQ(fields.n_inner, 16);
  EXPECT_EQ(fields.activation, Activation::kGeluTanh);
  EXPECT_EQ(fields.layer_norm_epsilon, 1e-5);
  EXPECT_EQ(fields.bias, true);
  EXPECT_EQ(fields.tie_word_embeddings, true);
  EXPECT_EQ(fields.kind, Origin::kTransformers);
}

TEST(ConfigJson, EveryFieldThatChangesTheMathematicsIsHonoured) {
  EXPECT_EQ(parse(R"({"n_ctx": 7})").block_size, 7);
  EXPECT_EQ(parse(R"({"n_ctx": 7, "n_positions": 9})").block_size, 9);
  EXPECT_EQ(parse(R"({"n_embd": 12, "n_inner": 5})").n_inner, 5);
  EXPECT_EQ(parse(R"({"activation_function": "gelu"})").activation, Activation::kGeluErf);
  EXPECT_EQ(parse(R"({"activation_function": "relu"})").activation, Activation::kRelu);
  EXPECT_EQ(parse(R"({"activation_function": "gelu_pytorch_tanh"})").activation,
            Activation::kGeluTanh);
  EXPECT_EQ(parse(R"({"layer_norm_epsilon": 3e-6})").layer_norm_epsilon, 3e-6);
  EXPECT_EQ(parse(R"({"tie_word_embeddings": false})").tie_word_embeddings, false);
  EXPECT_EQ(parse(R"({"scale_attn_weights": false})").scale_attn_weights, false);
  EXPECT_EQ(parse(R"({"scale_attn_by_inverse_layer_idx": true})").scale_attn_by_inverse_layer_idx,
            true);
  EXPECT_EQ(parse(R"({"bias": false})").bias, false);
  parse(R"({"reorder_and_upcast_attn": true})");
}

TEST(ConfigJson, EveryWrongConfigIsRefusedByTheNameOfItsField) {
  struct Row {
    const char* text;
    ErrorCode code;
    const char* message;
  };
  constexpr auto kCorrupt = ErrorCode::kCorrupt;
  constexpr auto kUnsupported = ErrorCode::kUnsupported;
  const Row rows[] = {
      {"", kCorrupt, "bad JSON at byte 0"},
      {"[]", kCorrupt, "expected a JSON object"},
      {R"({"n_head": 2, "n_head": 4})", kCorrupt, "the key 'n_head' stands twice"},
      {R"({"n_layer": "2"})", kCorrupt, "n_layer has the wrong type; expected a whole number"},
      {R"({"n_layer": 2.5})", kCorrupt, "n_layer has the wrong type"},
      {R"({"n_layer": null})", kCorrupt, "n_layer has the wrong type"},
      {R"({"n_layer": 0})", kCorrupt, "n_layer is 0; expected 1 to 4096"},
      {R"({"n_embd": -768})", kCorrupt, "n_embd is -768"},
      {R"({"n_embd": 9223372036854775807})", kCorrupt, "n_embd is 9223372036854775807"},
      {R"({"vocab_size": 18446744073709551615})", kCorrupt, "vocab_size is 18446744073709551615"},
      {R"({"n_positions": 1e99})", kCorrupt, "n_positions has the wrong type"},
      {R"({"n_ctx": 0})", kCorrupt, "n_ctx is 0"},
      {R"({"n_inner": 0})", kCorrupt, "n_inner is 0"},
      {R"({"n_head": 0})", kCorrupt, "n_head is 0"},
      {R"({"layer_norm_epsilon": 0})", kCorrupt, "layer_norm_epsilon is 0"},
      {R"({"layer_norm_epsilon": -1e-5})", kCorrupt, "layer_norm_epsilon is -1e-05"},
      {R"({"layer_norm_epsilon": 1e999})", kCorrupt, "layer_norm_epsilon is inf"},
      {R"({"layer_norm_epsilon": "small"})", kCorrupt, "layer_norm_epsilon has the wrong type"},
      {R"({"activation_function": 1})", kCorrupt, "activation_function has the wrong type"},
      {R"({"activation_function": "silu"})", kUnsupported, "activation_function is 'silu'"},
      {R"({"scale_attn_weights": 1})", kCorrupt, "scale_attn_weights has the wrong type"},
      {R"({"scale_attn_weights": null})", kCorrupt, "scale_attn_weights has the wrong type"},
      {R"({"scale_attn_by_inverse_layer_idx": "no"})", kCorrupt, "scale_attn_by_inverse_layer_idx"},
      {R"({"reorder_and_upcast_attn": 0})", kCorrupt, "reorder_and_upcast_attn"},
      {R"({"tie_word_embeddings": []})", kCorrupt, "tie_word_embeddings"},
      {R"({"add_cross_attention": true})", kUnsupported, "add_cross_attention is true"},
      {R"({"model_type": "gptj"})", kUnsupported, "model_type is 'gptj'; expected 'gpt2'"},
      {R"({"model_type": 2})", kCorrupt, "model_type has the wrong type"},
      {R"({"quantization_config": {"bits": 4}})", kUnsupported, "quantization_config"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    auto fields = parse_config_json(row.text);
    ASSERT_FALSE(fields);
    EXPECT_EQ(fields.assume_error().code, row.code);
    EXPECT_THAT(fields.assume_error().message, HasSubstr(row.message));
  }
}

TEST(ConfigJson, WhatIsWrittenIsReadBackExactly) {
  ModelConfig config{.block_size = 3,
                     .vocab_size = 11,
                     .n_layer = 5,
                     .n_head = 7,
                     .n_embd = 21,
                     .n_inner = 13,
                     .activation = Activation::kRelu,
                     .layer_norm_epsilon = 0.1 + 0.2,
                     .bias = false,
                     .tie_word_embeddings = false,
                     .scale_attn_weights = false,
                     .scale_attn_by_inverse_layer_idx = true};
  ConfigFields fields = parse(config_to_json(config));
  EXPECT_EQ(fields.block_size, 3);
  EXPECT_EQ(fields.vocab_size, 11);
  EXPECT_EQ(fields.n_layer, 5);
  EXPECT_EQ(fields.n_head, 7);
  EXPECT_EQ(fields.n_embd, 21);
  EXPECT_EQ(fields.n_inner, 13);
  EXPECT_EQ(fields.activation, Activation::kRelu);
  EXPECT_EQ(fields.layer_norm_epsilon, 0.1 + 0.2);
  EXPECT_EQ(fields.bias, false);
  EXPECT_EQ(fields.tie_word_embeddings, false);
  EXPECT_EQ(fields.scale_attn_weights, false);
  EXPECT_EQ(fields.scale_attn_by_inverse_layer_idx, true);
  config.activation = Activation::kGeluErf;
  EXPECT_EQ(parse(config_to_json(config)).activation, Activation::kGeluErf);
}

}  // namespace
}  // namespace chorus::checkpoint

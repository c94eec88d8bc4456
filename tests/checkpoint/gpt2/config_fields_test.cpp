#include "checkpoint/gpt2/config_fields.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/gpt2/config_json.h"

namespace chorus::checkpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ConfigFields json_fields(const std::string& text) {
  auto fields = parse_config_json(text);
  EXPECT_TRUE(fields) << text << ": " << fields.assume_error().message;
  return fields ? fields.assume_value() : ConfigFields{};
}

Error json_error(const std::string& text) {
  auto fields = parse_config_json(text);
  EXPECT_FALSE(fields) << text;
  return fields ? Error{ErrorCode::kIo, "no error"} : fields.assume_error();
}

TEST(ConfigFieldNames, SizesAreReadUnderAllNamesInUse) {
  using Field = std::optional<std::int64_t> ConfigFields::*;
  const std::pair<const char*, Field> rows[] = {
      {"n_layer", &ConfigFields::n_layer},
      {"n_layers", &ConfigFields::n_layer},
      {"num_layers", &ConfigFields::n_layer},
      {"num_hidden_layers", &ConfigFields::n_layer},
      {"nLayer", &ConfigFields::n_layer},
      {"n_head", &ConfigFields::n_head},
      {"n_heads", &ConfigFields::n_head},
      {"num_heads", &ConfigFields::n_head},
      {"num_attention_heads", &ConfigFields::n_head},
      {"nhead", &ConfigFields::n_head},
      {"numHeads", &ConfigFields::n_head},
      {"n_embd", &ConfigFields::n_embd},
      {"hidden_size", &ConfigFields::n_embd},
      {"d_model", &ConfigFields::n_embd},
      {"emb_dim", &ConfigFields::n_embd},
      {"embed_dim", &ConfigFields::n_embd},
      {"n_positions", &ConfigFields::block_size},
      {"n_ctx", &ConfigFields::block_size},
      {"max_position_embeddings", &ConfigFields::block_size},
      {"block_size", &ConfigFields::block_size},
      {"context_length", &ConfigFields::block_size},
      {"vocab_size", &ConfigFields::vocab_size},
      {"n_vocab", &ConfigFields::vocab_size},
      {"n_inner", &ConfigFields::n_inner},
      {"intermediate_size", &ConfigFields::n_inner},
      {"d_ff", &ConfigFields::n_inner},
      {"head_dim", &ConfigFields::head_size},
      {"kv_channels", &ConfigFields::head_size},
      {"n_kv_head", &ConfigFields::n_kv_head},
      {"kv_heads", &ConfigFields::n_kv_head},
      {"num_key_value_heads", &ConfigFields::n_kv_head},
  };
  for (auto [name, field] : rows) {
    SCOPED_TRACE(name);
    ConfigFields fields = json_fields(fmt::format(R"({{"{}": 12}})", name));
    EXPECT_EQ(fields.*field, 12);
    // Of heads the shapes tell nothing.
    bool is_of_others = field == &ConfigFields::n_head && name != std::string_view("n_head") &&
                        name != std::string_view("num_attention_heads");
    EXPECT_EQ(fields.notes.size(), is_of_others ? 1u : 0u);
    Error error = json_error(fmt::format(R"({{"{}": "12"}})", name));
    EXPECT_THAT(error.message, HasSubstr(std::string("config field ") + name + " has the wrong"));
  }
}

TEST(ConfigFieldNames, TheOtherFieldsAreReadUnderAllNamesInUse) {
  for (const char* name :
       {"layer_norm_epsilon", "layer_norm_eps", "layernorm_epsilon", "norm_eps"}) {
    EXPECT_EQ(json_fields(fmt::format(R"({{"{}": 1e-3}})", name)).layer_norm_epsilon, 1e-3) << name;
  }
  for (const char* name :
       {"activation", "activation_function", "hidden_act", "act_fn", "afn", "mlp_activation"}) {
    EXPECT_EQ(json_fields(fmt::format(R"({{"{}": "relu"}})", name)).activation, Activation::kRelu);
    EXPECT_THAT(json_error(fmt::format(R"({{"{}": "silu"}})", name)).message,
                HasSubstr(fmt::format("{} is 'silu'; expected gelu_new", name)));
  }
  EXPECT_EQ(json_fields(R"({"use_relu": true})").activation, Activation::kRelu);
  EXPECT_FALSE(json_fields(R"({"use_relu": false})").activation);
  for (const char* name :
       {"tie_word_embeddings", "tie_weights", "weight_tying", "tied_embeddings"}) {
    EXPECT_EQ(json_fields(fmt::format(R"({{"{}": false}})", name)).tie_word_embeddings, false)
        << name;
  }
  EXPECT_EQ(json_fields(R"({"untie_embeddings": true})").tie_word_embeddings, false);
  EXPECT_EQ(json_fields(R"({"use_bias": false})").bias, false);
}

TEST(ConfigFieldNames, NamesThatTransformersDoesNotReadAreSaid) {
  for (const char* field :
       {R"("layer_norm_eps": 1e-3)", R"("hidden_act": "relu")", R"("n_heads": 4)",
        R"("tie_weights": false)", R"("scale_attn": false)", R"("sub": {"n_head": 4})"}) {
    EXPECT_THAT(json_fields(fmt::format("{{{}}}", field)).notes,
                ElementsAre(HasSubstr("transformers does not know it by this name")))
        << field;
  }
  for (const char* text :
       {R"({"n_heads": 4, "num_attention_heads": 4})", R"({"n_head": 4, "n_heads": 4})",
        R"({"layer_norm_epsilon": 1e-3, "layer_norm_eps": 1e-3})",
        R"({"activation_function": "relu", "tie_word_embeddings": false, "n_inner": 8})"}) {
    EXPECT_THAT(json_fields(text).notes, IsEmpty()) << text;
  }
}

TEST(ConfigFieldNames, AFieldOfSeveralMeaningsIsNotPassedOverInSilence) {
  // eps is an optimizer's or a norm's.
  for (const char* name : {"eps", "epsilon"}) {
    EXPECT_THAT(json_fields(fmt::format(R"({{"{}": 1e-3}})", name)).notes,
                ElementsAre(HasSubstr(std::string(name) + " = 0.001")));
  }
  // Patterns of training programs' flags do not cover parts of a model.
  for (const char* name : {"global_attn_every", "moe_freq", "sample_softcap", "test_layers"}) {
    EXPECT_THAT(json_fields(fmt::format(R"({{"{}": 2}})", name)).notes,
                ElementsAre(HasSubstr(std::string(name) + " = 2")));
  }
  for (const char* name : {"embed_std", "attn_dropout", "eval_every", "train_steps", "head_lr"}) {
    EXPECT_THAT(json_fields(fmt::format(R"({{"{}": 2}})", name)).notes, IsEmpty()) << name;
  }
  // True asks for a factor that is not stated, or for the usual one.
  EXPECT_THAT(json_error(R"({"scale_emb": true})").message, HasSubstr("scale_emb is true"));
  EXPECT_THAT(json_error(R"({"residual_scale": true})").message, HasSubstr("such a factor"));
  EXPECT_THAT(json_fields(R"({"attn_scale": true, "norm_scale": false})").notes, IsEmpty());
  EXPECT_THAT(json_error(R"({"attn_scale": 0.5})").message, HasSubstr("attn_scale is 0.5"));
  // Whether there are norms, or which, or where.
  for (const char* value : {"true", "1", R"("ln")", R"("LayerNorm")", R"("pre")", "null"}) {
    EXPECT_THAT(json_fields(fmt::format(R"({{"layer_norm": {}}})", value)).notes, IsEmpty());
  }
  for (const char* value : {R"("rms")", R"("RMSNorm")", R"("post")", "false", R"("none")"}) {
    EXPECT_THAT(json_error(fmt::format(R"({{"layernorm": {}}})", value)).message,
                HasSubstr("does not compute"))
        << value;
  }
  EXPECT_THAT(json_fields(R"({"residual": "gated"})").notes,
              ElementsAre(HasSubstr("residual = 'gated'")));
}

TEST(ConfigFieldNames, ActivationsAreKnownByEveryLibrarysName) {
  const std::pair<Activation, std::vector<const char*>> rows[] = {
      {Activation::kGeluTanh,
       {"gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate", "NewGELU", "GELU_tanh",
        "mingpt.model.NewGELU", "NewGELUActivation", "PytorchGELUTanh", "approximate_gelu"}},
      {Activation::kGeluErf,
       {"gelu", "GELU", "nn.GELU()", "nn.GELU", "torch.nn.functional.gelu", "F.gelu",
        "torch._C._nn.gelu", "gelu_python", "gelu_erf", "GELUActivation"}},
      {Activation::kRelu, {"relu", "ReLU", "nn.ReLU()", "torch.nn.modules.activation.ReLU"}},
  };
  for (const auto& [activation, names] : rows) {
    for (const char* name : names) {
      SCOPED_TRACE(name);
      EXPECT_EQ(parse_activation(name), activation);
    }
  }
  for (const char* name :
       {"", "quick_gelu", "gelu_10", "silu", "swish", "SiLU()", "tanh", "leaky_relu", "relu2",
        "relu_squared", "geglu", "swiglu", "mish", "linear", "elu", "selu", "relu6", "gelus"}) {
    EXPECT_FALSE(parse_activation(name)) << name;
  }
}

TEST(ConfigFieldNames, GeluBesideApproximateIsTheOneThatIsMeant) {
  EXPECT_EQ(json_fields(R"({"activation": "gelu", "approximate": "tanh"})").activation,
            Activation::kGeluTanh);
  EXPECT_EQ(json_fields(R"({"approximate": "tanh", "activation": "gelu"})").activation,
            Activation::kGeluTanh);
  EXPECT_EQ(json_fields(R"({"activation": "gelu", "approximate": "none"})").activation,
            Activation::kGeluErf);
  EXPECT_EQ(json_fields(R"({"approximate_gelu": true})").activation, Activation::kGeluTanh);
  EXPECT_EQ(json_fields(R"({"new_gelu": false})").activation, Activation::kGeluErf);
  EXPECT_THAT(json_error(R"({"activation": "gelu_new", "approximate": "none"})").message,
              HasSubstr("disagree"));
  EXPECT_THAT(json_error(R"({"use_gelu": false})").message, HasSubstr("use_gelu is false"));
  EXPECT_EQ(json_fields(R"({"use_gelu": false, "use_relu": true})").activation, Activation::kRelu);
}

TEST(ConfigFieldNames, TwoNamesOfOneThingMustAgree) {
  EXPECT_EQ(json_fields(R"({"n_head": 4, "num_attention_heads": 4})").n_head, 4);
  for (const char* text :
       {R"({"n_head": 4, "num_attention_heads": 8})", R"({"n_embd": 4, "hidden_size": 8})",
        R"({"n_layer": 1, "model": {"n_layers": 2}})",
        R"({"activation": "relu", "hidden_act": "gelu"})",
        R"({"layer_norm_eps": 1e-5, "layer_norm_epsilon": 1e-6})",
        R"({"tie_weights": true, "untie": true})",
        R"({"use_relu": true, "activation_function": "gelu"})"}) {
    Error error = json_error(text);
    EXPECT_EQ(error.code, ErrorCode::kCorrupt);
    EXPECT_THAT(error.message, HasSubstr("are two names of one thing and disagree"));
  }
  EXPECT_THAT(json_error(R"({"n_head": 4, "num_heads": 8})").message,
              HasSubstr("config fields n_head and num_heads"));
}

TEST(ConfigFieldNames, TheOldNameOfThePositionsIsPassedOverWithANote) {
  for (const char* text :
       {R"({"n_ctx": 7, "n_positions": 9})", R"({"n_positions": 9, "n_ctx": 7})"}) {
    ConfigFields fields = json_fields(text);
    EXPECT_EQ(fields.block_size, 9);
    EXPECT_THAT(fields.notes, ElementsAre(HasSubstr("n_ctx is 7 and passed over")));
  }
  EXPECT_THAT(json_fields(R"({"n_ctx": 9, "n_positions": 9})").notes, IsEmpty());
}

TEST(ConfigFieldNames, WhatIsNotComputedIsRefusedByName) {
  for (const char* field : {
           R"("use_rope": true)",
           R"("rope": {"theta": 10000})",
           R"("rotary": 1)",
           R"("rotary_pct": 0.25)",
           R"("useRope": true)",
           R"("alibi": true)",
           R"("use_alibi": 1)",
           R"("pos_embed": "rope")",
           R"("pos_embed": "sinusoidal")",
           R"("position_embedding_type": "relative_key")",
           R"("pos_embed": false)",
           R"("rmsnorm": true)",
           R"("norm": "rmsnorm")",
           R"("norm_type": "RMSNorm")",
           R"("norm": "batchnorm")",
           R"("norm_first": false)",
           R"("post_norm": true)",
           R"("qk_norm": true)",
           R"("swiglu": true)",
           R"("use_silu": true)",
           R"("glu": "yes")",
           R"("parallel": true)",
           R"("use_parallel_residual": true)",
           R"("multi_query": true)",
           R"("n_experts": 8)",
           R"("moe": true)",
           R"("sliding_window": 128)",
           R"("is_causal": false)",
           R"("add_cross_attention": true)",
           R"("is_encoder_decoder": true)",
           R"("logit_softcap": 30.0)",
           R"("embedding_scale": 12)",
           R"("attention_multiplier": 0.5)",
           R"("mup": true)",
           R"("pruned_heads": {"0": [1]})",
           R"("quantization_config": {"bits": 4})",
           R"("architectures": ["GPT2ForSequenceClassification"])",
           R"("model": {"deeper": {"use_rope": true}})",
       }) {
    Error error = json_error(std::string("{") + field + "}");
    EXPECT_EQ(error.code, ErrorCode::kUnsupported) << error.message;
    std::string text(field);
    std::string name = text.substr(1, text.find('"', 1) - 1);
    EXPECT_THAT(error.message, HasSubstr("config field " + name));
  }
}

TEST(ConfigFieldNames, ASwitchThatIsOffAndAKindThatIsComputedAreFine) {
  for (const char* field : {
           R"("use_rope": false)",
           R"("rope": null)",
           R"("rotary_dim": 0)",
           R"("alibi": "none")",
           R"("pos_embed": "learned")",
           R"("position_embedding_type": "absolute")",
           R"("norm": "layernorm")",
           R"("norm_type": "LayerNorm")",
           R"("norm_first": true)",
           R"("swiglu": "")",
           R"("parallel": 0)",
           R"("n_experts": 0)",
           R"("is_causal": true)",
           R"("pruned_heads": {})",
           R"("embedding_scale": 1.0)",
           R"("n_kv_head": null)",
           R"("quantization_config": null)",
           R"("architectures": ["GPT2LMHeadModel"])",
           R"("architectures": ["GPT2Model"])",
           R"("architectures": null)",
           R"("reorder_and_upcast_attn": true)",
           R"("n_inner": null)",
           R"("qkv_bias": true)",
           R"("loss_type": "ForCausalLM")",
           R"("dropout": 0.1)",
           R"("learning_rate": 6e-4)",
           R"("wandb_project": "owt")",
           R"("compile": true)",
           R"("device": "cuda")",
           R"("dtype": "bfloat16")",
           R"("out_dir": "out")",
           R"("optimizer": {"n_head": 3, "name": "adam"})",
           R"("task_specific_params": {"text-generation": {"do_sample": true}})",
       }) {
    SCOPED_TRACE(field);
    EXPECT_THAT(json_fields(std::string("{") + field + "}").notes, IsEmpty());
  }
}

TEST(ConfigFieldNames, WhatIsNotKnownIsNamedInANoteUnlessItIsOff) {
  EXPECT_THAT(
      json_fields(R"({"flux": 3, "warp": 0, "haste": false, "zeal": null, "ire": ""})").notes,
      ElementsAre(HasSubstr("passed over: flux = 3; if one")));
  EXPECT_THAT(
      json_fields(R"({"model": {"flux": "b\n"}})").notes,
      ElementsAre(testing::AllOf(HasSubstr("model.flux = "), testing::Not(HasSubstr("\n")))));
  std::string long_name(100'000, 'q');
  EXPECT_LT(json_fields("{\"" + long_name + "\": 1}").notes.at(0).size(), 400u);
  std::string many = "{\"n_layer\": 1";
  for (int i = 0; i < 40; ++i) many += fmt::format(R"(, "odd{}": 1)", i);
  EXPECT_THAT(json_fields(many + "}").notes, ElementsAre(HasSubstr(" and 24 more")));
}

TEST(ConfigFieldNames, NestedFieldsAreReadAndDeepOrLargeOnesCostLittle) {
  EXPECT_EQ(json_fields(R"({"model_config": {"n_heads": 3}})").n_head, 3);
  EXPECT_EQ(json_fields(R"({"config": {"config": {"args": {"num_heads": 3}}}})").n_head, 3);
  std::string deep;
  for (int i = 0; i < 12; ++i) deep += R"({"model": )";
  deep += R"({"n_head": 3})" + std::string(12, '}');
  EXPECT_FALSE(json_fields(deep).n_head);
  EXPECT_THAT(json_fields(deep).notes, ElementsAre(HasSubstr("an object of 1 fields")));
  std::string wide = R"({"n_head": 3, "table": {"0": 1)";
  for (int i = 1; i < 2000; ++i) wide += fmt::format(R"(, "{}": 1)", i);
  EXPECT_EQ(json_fields(wide + "}}").n_head, 3);
}

}  // namespace
}  // namespace chorus::checkpoint

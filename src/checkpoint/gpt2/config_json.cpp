#include "checkpoint/gpt2/config_json.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <cmath>

#include "checkpoint/gpt2/limits.h"
#include "core/error_text.h"
#include "core/printable.h"
#include "json/parse.h"

namespace chorus::checkpoint {
namespace {

namespace json = boost::json;

Error wrong_type(const char* field, const char* expected) {
  return {ErrorCode::kCorrupt,
          fmt::format("config field {} has the wrong type; expected {}", field, expected)};
}

Error unsupported(std::string message) { return {ErrorCode::kUnsupported, std::move(message)}; }

// For the fields in which null says the same as leaving the field out; elsewhere it is a wrong
// type.
bool is_absent_or_null(const json::object& config, const char* field) {
  const json::value* value = config.if_contains(field);
  return !value || value->is_null();
}

Result<std::optional<std::int64_t>> read_size(const json::object& config, const char* field,
                                              std::int64_t largest) {
  const json::value* value = config.if_contains(field);
  if (!value) return std::optional<std::int64_t>();
  if (value->is_uint64()) {
    return Error{ErrorCode::kCorrupt, fmt::format("config field {} is {}; expected 1 to {}", field,
                                                  value->get_uint64(), largest)};
  }
  if (!value->is_int64()) return wrong_type(field, "a whole number");
  CHORUS_TRY(check_size(field, value->get_int64(), largest));
  return std::optional(value->get_int64());
}

Result<bool> read_flag(const json::object& config, const char* field, bool absent) {
  const json::value* value = config.if_contains(field);
  if (!value) return absent;
  if (!value->is_bool()) return wrong_type(field, "true or false");
  return value->get_bool();
}

// Views into `config`.
Result<std::string_view> read_text(const json::object& config, const char* field,
                                   const char* absent) {
  const json::value* value = config.if_contains(field);
  if (!value) return std::string_view(absent);
  if (!value->is_string()) return wrong_type(field, "a string");
  return std::string_view(value->get_string());
}

Result<Activation> read_activation(const json::object& config) {
  CHORUS_TRY(std::string_view name, read_text(config, "activation_function", "gelu_new"));
  if (auto activation = parse_activation(name)) return *activation;
  return unsupported("config field activation_function is " + in_quotes(name) +
                     "; expected gelu_new, gelu_pytorch_tanh, gelu or relu");
}

Result<double> read_epsilon(const json::object& config) {
  const json::value* value = config.if_contains("layer_norm_epsilon");
  if (!value) return ModelConfig().layer_norm_epsilon;
  if (!value->is_number()) return wrong_type("layer_norm_epsilon", "a number");
  auto epsilon = value->to_number<double>();
  if (epsilon > 0 && std::isfinite(epsilon)) return epsilon;
  return Error{
      ErrorCode::kCorrupt,
      fmt::format("config field layer_norm_epsilon is {}; expected a number above 0", epsilon)};
}

Result<void> refuse_other_models(const json::object& config) {
  CHORUS_TRY(std::string_view type, read_text(config, "model_type", "gpt2"));
  if (type != "gpt2") {
    return unsupported("config field model_type is " + in_quotes(type) + "; expected 'gpt2'");
  }
  CHORUS_TRY(bool cross_attention, read_flag(config, "add_cross_attention", false));
  if (cross_attention) {
    return unsupported(
        "config field add_cross_attention is true: cross-attention is not supported");
  }
  if (!is_absent_or_null(config, "quantization_config")) {
    return unsupported(
        "config field quantization_config is present: expected f32, f16 or bf16 "
        "weights");
  }
  return ok();
}

Result<void> read_sizes(const json::object& config, ConfigFields& fields) {
  CHORUS_TRY(fields.block_size, read_size(config, "n_positions", kLargestBlockSize));
  CHORUS_TRY(auto context, read_size(config, "n_ctx", kLargestBlockSize));
  if (!fields.block_size) fields.block_size = context;  // the older name
  CHORUS_TRY(fields.vocab_size, read_size(config, "vocab_size", kLargestVocabSize));
  CHORUS_TRY(fields.n_layer, read_size(config, "n_layer", kLargestLayerCount));
  CHORUS_TRY(fields.n_head, read_size(config, "n_head", kLargestEmbedding));
  if (!fields.n_head) fields.n_head = ModelConfig().n_head;
  CHORUS_TRY(fields.n_embd, read_size(config, "n_embd", kLargestEmbedding));
  if (!is_absent_or_null(config, "n_inner")) {
    CHORUS_TRY(fields.n_inner, read_size(config, "n_inner", kLargestInner));
  }
  if (!fields.n_inner && fields.n_embd) fields.n_inner = 4 * *fields.n_embd;
  if (fields.n_embd && *fields.n_embd % *fields.n_head != 0) {
    return Error{
        ErrorCode::kCorrupt,
        fmt::format("config field n_embd is {}; expected a multiple of n_head, which is {}",
                    *fields.n_embd, *fields.n_head)};
  }
  return ok();
}

}  // namespace

Result<ConfigFields> parse_config_json(std::string_view text) {
  CHORUS_TRY(json::object config, parse_json_object(text));
  CHORUS_TRY(refuse_other_models(config));
  ConfigFields fields;
  CHORUS_TRY(read_sizes(config, fields));
  CHORUS_TRY(fields.activation, read_activation(config));
  CHORUS_TRY(fields.layer_norm_epsilon, read_epsilon(config));
  CHORUS_TRY(fields.bias, read_flag(config, "bias", true));
  CHORUS_TRY(fields.tie_word_embeddings, read_flag(config, "tie_word_embeddings", true));
  CHORUS_TRY(fields.scale_attn_weights, read_flag(config, "scale_attn_weights", true));
  CHORUS_TRY(fields.scale_attn_by_inverse_layer_idx,
             read_flag(config, "scale_attn_by_inverse_layer_idx", false));
  CHORUS_TRY(read_flag(config, "reorder_and_upcast_attn", false));  // always so: see the header
  return fields;
}

std::string config_to_json(const ModelConfig& config) {
  // By hand, because Boost's way of writing a double is neither short nor usual.
  std::string text = R"({"model_type":"gpt2","architectures":["GPT2LMHeadModel"])";
  auto add = [&text](const char* field, const auto& value) {
    text += fmt::format(",\"{}\":{}", field, value);
  };
  add("n_positions", config.block_size);
  add("vocab_size", config.vocab_size);
  add("n_layer", config.n_layer);
  add("n_head", config.n_head);
  add("n_embd", config.n_embd);
  add("n_inner", config.n_inner);
  text += fmt::format(",\"activation_function\":\"{}\"", activation_name(config.activation));
  add("layer_norm_epsilon", config.layer_norm_epsilon);
  add("bias", config.bias);
  add("tie_word_embeddings", config.tie_word_embeddings);
  add("scale_attn_weights", config.scale_attn_weights);
  add("scale_attn_by_inverse_layer_idx", config.scale_attn_by_inverse_layer_idx);
  return text + "}";
}

}  // namespace chorus::checkpoint

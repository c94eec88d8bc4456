#include "checkpoint/gpt2/config_json.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>

#include "checkpoint/gpt2/config_fields.h"
#include "json/parse.h"

namespace chorus::checkpoint {
namespace {

namespace json = boost::json;
using Kind = ConfigValue::Kind;

ConfigValue value_of(const json::value& value, int depth, std::size_t& left);

ConfigValue other(std::string text) {
  ConfigValue result;
  result.kind = Kind::kOther;
  result.text = std::move(text);
  return result;
}

// `most` fields at most; an object with more is a table of something else.
ConfigValue record_of(const json::object& object, std::size_t most, int depth, std::size_t& left) {
  if (object.size() > most || depth > kDeepestConfig) {
    return other(fmt::format("an object of {} fields", object.size()));
  }
  ConfigValue record;
  record.kind = Kind::kRecord;
  for (const auto& [name, value] : object) {
    record.fields.push_back({std::string(name), value_of(value, depth + 1, left)});
  }
  return record;
}

ConfigValue list_of(const json::array& array, int depth, std::size_t& left) {
  constexpr std::size_t kMostItems = 16;
  if (array.size() > kMostItems || depth > kDeepestConfig) {
    return other(fmt::format("a list of {}", array.size()));
  }
  ConfigValue list;
  list.kind = Kind::kList;
  for (const json::value& item : array)
    list.fields.push_back({"", value_of(item, depth + 1, left)});
  return list;
}

ConfigValue value_of(const json::value& value, int depth, std::size_t& left) {
  if (left == 0) return other("one of very many values");
  --left;
  ConfigValue result;
  if (value.is_object()) return record_of(value.get_object(), kMostFieldsOfRecord, depth, left);
  if (value.is_array()) return list_of(value.get_array(), depth, left);
  if (value.is_bool()) {
    result.kind = Kind::kBool;
    result.integer = value.get_bool() ? 1 : 0;
  } else if (value.is_uint64()) {  // only of what does not fit int64
    result.kind = Kind::kBigInteger;
    result.text = fmt::format("{}", value.get_uint64());
  } else if (value.is_int64()) {
    result.kind = Kind::kInteger;
    result.integer = value.get_int64();
    result.real = static_cast<double>(result.integer);
  } else if (value.is_double()) {
    result.kind = Kind::kReal;
    result.real = value.get_double();
  } else if (value.is_string()) {
    result.kind = Kind::kText;
    result.text = std::string(value.get_string());
  }
  return result;
}

// What transformers' GPT2Config makes of fields that are left out, where shapes could not tell it.
void fill_in_defaults(ConfigFields& fields) {
  auto fill = [&fields](const char* name, auto& place, auto value) {
    if (place) return;
    place = value;
    fields.sources[name] = ValueSource::kOfKind;
  };
  if (fields.n_embd) fill("n_inner", fields.n_inner, 4 * *fields.n_embd);
  fill("bias", fields.bias, true);
  fill("tie_word_embeddings", fields.tie_word_embeddings, true);
}

}  // namespace

Result<ConfigFields> parse_config_json(std::string_view text) {
  CHORUS_TRY(json::object config, parse_json_object(text));
  if (config.size() > kMostConfigValues) {
    return Error{ErrorCode::kCorrupt, fmt::format("{} fields in a config; expected {} at most",
                                                  config.size(), kMostConfigValues)};
  }
  std::size_t left = kMostConfigValues;
  ConfigFields fields;
  fields.kind = Origin::kTransformers;
  CHORUS_TRY(read_config_fields(record_of(config, kMostConfigValues, 0, left),
                                {.is_config_json = true}, fields));
  fill_in_defaults(fields);
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

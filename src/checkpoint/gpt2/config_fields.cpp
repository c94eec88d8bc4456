#include "checkpoint/gpt2/config_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "checkpoint/gpt2/config_names.h"
#include "checkpoint/gpt2/limits.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

using Kind = ConfigValue::Kind;

constexpr std::size_t kMostNamed = 16;    // unknown fields in a note
constexpr std::size_t kLongestName = 80;  // bytes of a field's name in messages

// What minGPT's presets are; GPT-2's own sizes among them.
struct Preset {
  std::string_view model_type;
  std::int64_t n_head;
};
constexpr Preset kPresets[] = {
    {"openai-gpt", 12}, {"gpt2", 12},    {"gpt2-medium", 16}, {"gpt2-large", 20}, {"gpt2-xl", 25},
    {"gopher-44m", 16}, {"gpt-mini", 6}, {"gpt-micro", 4},    {"gpt-nano", 3},
};

template <std::size_t count>
bool is_one_of(std::string_view text, const std::string_view (&list)[count]) {
  return std::ranges::find(list, text) != std::end(list);
}

std::string last_part(std::string_view name) {
  std::size_t dot = name.rfind('.');
  return plain_field_name(dot == std::string_view::npos ? name : name.substr(dot + 1));
}

// Reads one record and those in it.
class Reader {
 public:
  Reader(const ConfigReading& reading, ConfigFields& fields)
      : reading_(reading), fields_(fields), before_(fields.stated) {}

  Result<void> read(const ConfigValue& record, const std::string& place) {
    for (const ConfigField& field : record.fields) {
      std::string shown = field.name.substr(0, kLongestName);
      if (shown.size() < field.name.size()) shown += "...";
      CHORUS_TRY(read_field(field, place + shown));
    }
    return ok();
  }

  Result<void> finish() {
    CHORUS_TRY(finish_activation());
    note_names_of_others();
    if (unknown_.empty() || reading_.is_fallback) return ok();
    fields_.notes.push_back(
        fmt::format("the config has fields that are not known here and are passed over: {}; if "
                    "one of them changes what the model computes, its text will differ",
                    listed(unknown_, kMostNamed)));
    return ok();
  }

 private:
  Result<void> read_field(const ConfigField& field, const std::string& name) {
    const ConfigValue& value = field.value;
    const FieldName* known = find_field_name(field.name);
    if (known == nullptr) return read_unknown(value, name);
    switch (known->meaning) {
      case Meaning::kBlockSize:
        return read_block_size(field, name);
      case Meaning::kVocabSize:
        return read_size(value, name, "vocab_size", kLargestVocabSize, fields_.vocab_size);
      case Meaning::kLayers:
        return read_size(value, name, "n_layer", kLargestLayerCount, fields_.n_layer);
      case Meaning::kHeads:
        return read_size(value, name, "n_head", kLargestEmbedding, fields_.n_head);
      case Meaning::kEmbedding:
        return read_size(value, name, "n_embd", kLargestEmbedding, fields_.n_embd);
      case Meaning::kInner:
        if (value.kind == Kind::kNone) return ok();  // four times n_embd
        return read_size(value, name, "n_inner", kLargestInner, fields_.n_inner);
      case Meaning::kHeadSize:
        if (value.kind == Kind::kNone) return ok();
        return read_size(value, name, "head_size", kLargestEmbedding, fields_.head_size);
      case Meaning::kKeyValueHeads:
        if (!is_on(value)) return ok();
        return read_size(value, name, "n_kv_head", kLargestEmbedding, fields_.n_kv_head);
      case Meaning::kActivation:
        return read_activation(value, name);
      case Meaning::kReluFlag:
        if (!is_on(value)) return ok();
        return state(name, "activation_function", Activation::kRelu, fields_.activation);
      case Meaning::kGeluFlag:
        if (!is_on(value)) no_gelu_ = name;
        return ok();
      case Meaning::kTanhGelu:
        return read_tanh_flag(value, name);
      case Meaning::kEpsilon:
        return read_epsilon(value, name);
      case Meaning::kBias:
        return read_flag(value, name, "bias", fields_.bias);
      case Meaning::kTied:
        return read_flag(value, name, "tie_word_embeddings", fields_.tie_word_embeddings);
      case Meaning::kUntied:
        return read_flag(value, name, "tie_word_embeddings", fields_.tie_word_embeddings, true);
      case Meaning::kScaled:
        return read_flag(value, name, "scale_attn_weights", fields_.scale_attn_weights);
      case Meaning::kScaledByLayer:
        return read_flag(value, name, "scale_attn_by_inverse_layer_idx",
                         fields_.scale_attn_by_inverse_layer_idx);
      case Meaning::kUpcast: {
        std::optional<bool> any;
        return read_flag(value, name, "reorder_and_upcast_attn", any);
      }
      case Meaning::kTokenId:
        return read_token_ids(field, name);
      case Meaning::kNormKind:
        return read_norm(value, name);
      case Meaning::kPositionKind:
        return read_position(value, name);
      case Meaning::kModelType:
        return read_model_type(value, name);
      case Meaning::kArchitectures:
        return read_architectures(value, name);
      case Meaning::kMustBeOff:
        if (!is_on(value)) return ok();
        return refuse(value, name, known->what);
      case Meaning::kMustBeOn:
        if (value.kind == Kind::kText) return read_unknown(value, name);
        if (value.kind == Kind::kNone || is_on(value)) return ok();
        return refuse(value, name, known->what);
      case Meaning::kNormKindOrFlag:
        return read_norm_or_flag(value, name, known->what);
      case Meaning::kMustBeOneOrTrue:
        if (value.kind == Kind::kBool) return ok();
        [[fallthrough]];
      case Meaning::kMustBeOne:
        if (!is_on(value)) return ok();
        if (value.is_number() && value.real == 1.0) return ok();
        return refuse(value, name, "such a factor");
      case Meaning::kHarmless:
        return ok();
    }
    return ok();
  }

  // One id or several, of which the first config's count.
  Result<void> read_token_ids(const ConfigField& field, const std::string& name) {
    if (reading_.is_config_json || field.value.kind == Kind::kNone) return ok();
    auto is_id = [](const ConfigValue& value) {
      return value.kind == Kind::kInteger && value.integer >= INT32_MIN &&
             value.integer <= INT32_MAX;
    };
    std::vector<std::int64_t> ids;
    const bool is_list = field.value.kind == Kind::kList;
    if (!is_list && !is_id(field.value)) return read_unknown(field.value, name);
    if (!is_list) ids.push_back(field.value.integer);
    for (const ConfigField& item : field.value.fields) {
      if (!is_id(item.value)) return read_unknown(field.value, name);
      ids.push_back(item.value.integer);
    }
    fields_.token_ids.emplace(plain_field_name(field.name), std::move(ids));
    return ok();
  }

  Result<void> read_unknown(const ConfigValue& value, const std::string& name) {
    if (value.kind == Kind::kRecord && value.find("_modules") == nullptr) {
      return read(value, name + ".");
    }
    if (is_on(value) && value.kind != Kind::kList) {
      unknown_.push_back(fmt::format("{} = {}", printable(name), config_value_text(value)));
    } else if (is_on(value)) {
      unknown_.push_back(printable(name));
    }
    return ok();
  }

  Error wrong_type(const std::string& name, const char* expected) const {
    return {ErrorCode::kCorrupt, fmt::format("config field {} has the wrong type; expected {}",
                                             printable(name), expected)};
  }

  static Error refuse(const ConfigValue& value, const std::string& name, std::string_view what) {
    return {
        ErrorCode::kUnsupported,
        fmt::format("config field {} is {}: it asks for {}, which Chorus does not compute; use the "
                    "program that the model was trained with",
                    printable(name), config_value_text(value), what)};
  }

  // Sets `place`, and remembers by which name. Where it is set already: an error if that differs.
  template <class T>
  Result<void> state(const std::string& name, const char* field, T value, std::optional<T>& place) {
    if (name == field || name == "num_attention_heads") read_by_transformers_.insert(field);
    auto [stated, is_new] = fields_.stated.emplace(field, name);
    if (is_new) {
      place = value;
      fields_.sources[field] = ValueSource::kStated;
      return ok();
    }
    if (is_settled(field) || place == value) return ok();
    return Error{ErrorCode::kCorrupt,
                 fmt::format("config fields {} and {} are two names of one thing and disagree",
                             printable(stated->second), printable(name))};
  }

  // GPT2Config knows a field by one name, or two, and has its default where it stands under another.
  // What shapes tell is left out: there transformers refuses the file.
  void note_names_of_others() {
    if (!reading_.is_config_json) return;
    for (const char* field :
         {"n_head", "activation_function", "layer_norm_epsilon", "tie_word_embeddings",
          "scale_attn_weights", "scale_attn_by_inverse_layer_idx"}) {
      auto stated = fields_.stated.find(field);
      if (stated == fields_.stated.end() || read_by_transformers_.contains(field)) continue;
      fields_.notes.push_back(
          fmt::format("config field {} is honoured, as {}; transformers does not know it by this "
                      "name, and takes its default there",
                      printable(stated->second), field));
    }
  }

  // By a config of more authority.
  bool is_settled(const char* field) const {
    return reading_.is_fallback && before_.contains(field);
  }

  Result<void> read_size(const ConfigValue& value, const std::string& name, const char* field,
                         std::int64_t largest, std::optional<std::int64_t>& place) {
    if (is_settled(field)) return ok();
    if (value.kind == Kind::kNone && !reading_.is_config_json) return ok();
    if (value.kind == Kind::kBigInteger) {
      return Error{ErrorCode::kCorrupt,
                   fmt::format("config field {} is {}; expected 1 to {}", printable(name),
                               config_value_text(value), largest)};
    }
    if (value.kind != Kind::kInteger) return wrong_type(name, "a whole number");
    CHORUS_TRY(check_size(printable(name), value.integer, largest));
    return state(name, field, value.integer, place);
  }

  // n_ctx is the older name of n_positions; transformers does not look at it any more.
  Result<void> read_block_size(const ConfigField& field, const std::string& name) {
    std::optional<std::int64_t>& place = fields_.block_size;
    auto stated = fields_.stated.find("block_size");
    bool is_old = plain_field_name(field.name) == "nctx";
    if (is_old && stated != fields_.stated.end()) {
      std::optional<std::int64_t> read;
      CHORUS_TRY(read_size(field.value, name, "n_ctx", kLargestBlockSize, read));
      if (read && read != place && !reading_.is_fallback) note_old_context(*read);
      return ok();
    }
    if (stated != fields_.stated.end() && last_part(stated->second) == "nctx") {
      std::optional<std::int64_t> old = place;
      fields_.stated.erase(stated);
      CHORUS_TRY(read_size(field.value, name, "block_size", kLargestBlockSize, place));
      if (old != place) note_old_context(*old);
      return ok();
    }
    return read_size(field.value, name, "block_size", kLargestBlockSize, place);
  }

  void note_old_context(std::int64_t value) {
    fields_.notes.push_back(
        fmt::format("config field n_ctx is {} and passed over, as transformers does: {} says how "
                    "many positions "
                    "there are",
                    value, printable(fields_.stated["block_size"])));
  }

  Result<void> read_flag(const ConfigValue& value, const std::string& name, const char* field,
                         std::optional<bool>& place, bool is_inverted = false) {
    if (is_settled(field)) return ok();
    if (value.kind == Kind::kNone && !reading_.is_config_json) return ok();
    if (value.kind != Kind::kBool) {
      return wrong_type(name, reading_.is_config_json ? "true or false" : "True or False");
    }
    return state(name, field, (value.integer != 0) != is_inverted, place);
  }

  Result<void> read_epsilon(const ConfigValue& value, const std::string& name) {
    if (is_settled("layer_norm_epsilon")) return ok();
    if (value.kind == Kind::kNone && !reading_.is_config_json) return ok();
    if (!value.is_number()) return wrong_type(name, "a number");
    if (!(value.real > 0) || !std::isfinite(value.real)) {
      return Error{ErrorCode::kCorrupt,
                   fmt::format("config field {} is {}; expected a number above 0", printable(name),
                               value.real)};
    }
    return state(name, "layer_norm_epsilon", value.real, fields_.layer_norm_epsilon);
  }

  // Text, a function, a class, or a module that was made: torch's GELU says which of the two it is.
  Result<void> read_activation(const ConfigValue& value, const std::string& name) {
    if (value.kind == Kind::kNone && !reading_.is_config_json) return ok();
    if (is_settled("activation_function")) return ok();
    bool is_named = value.kind == Kind::kText || value.kind == Kind::kOther ||
                    (value.kind == Kind::kRecord && !value.text.empty());
    if (!is_named) return wrong_type(name, "a string");
    std::optional<Activation> activation = parse_activation(value.text);
    const ConfigValue* approximate = value.find("approximate");
    if (activation == Activation::kGeluErf && approximate != nullptr &&
        approximate->text == "tanh") {
      activation = Activation::kGeluTanh;
    }
    if (!activation) {
      return Error{
          ErrorCode::kUnsupported,
          fmt::format("config field {} is {}; expected gelu_new, gelu_pytorch_tanh, gelu or "
                      "relu: Chorus computes no other activation",
                      printable(name), config_value_text(value))};
    }
    is_plain_gelu_ = activation == Activation::kGeluErf && last_part(value.text) == "gelu" &&
                     approximate == nullptr;
    return state(name, "activation_function", *activation, fields_.activation);
  }

  Result<void> read_tanh_flag(const ConfigValue& value, const std::string& name) {
    if (value.kind == Kind::kNone) return ok();
    bool is_text = value.kind == Kind::kText && (value.text == "tanh" || value.text == "none");
    if (!is_text && value.kind != Kind::kBool) return wrong_type(name, "'tanh', 'none' or a bool");
    tanh_ = value.kind == Kind::kText ? value.text == "tanh" : value.integer != 0;
    tanh_name_ = name;
    return ok();
  }

  // Which gelu, once all fields are read: "gelu" may stand beside approximate = "tanh".
  Result<void> finish_activation() {
    if (tanh_ && !is_settled("activation_function")) {
      auto kind = *tanh_ ? Activation::kGeluTanh : Activation::kGeluErf;
      if (is_plain_gelu_ || fields_.activation == Activation::kRelu) {
        if (is_plain_gelu_) fields_.activation = kind;
      } else {
        CHORUS_TRY(state(tanh_name_, "activation_function", kind, fields_.activation));
      }
    }
    if (!no_gelu_.empty() && !fields_.activation) {
      return Error{ErrorCode::kUnsupported,
                   fmt::format("config field {} is false, and no field says which activation there "
                               "is instead; expected activation_function",
                               printable(no_gelu_))};
    }
    return ok();
  }

  Result<void> read_norm(const ConfigValue& value, const std::string& name) {
    constexpr std::string_view kNames[] = {
        "layernorm", "ln", "layer", "layernorms", "default", "nativelayernorm", "torchlayernorm"};
    if (value.kind == Kind::kNone || (value.kind == Kind::kBool && value.integer == 1)) return ok();
    if (value.is_number()) return read_unknown(value, name);
    if (is_one_of(last_part(value.text), kNames)) return ok();
    return refuse(value, name, "a norm other than layer norm");
  }

  // Whether there are norms, of which kind they are, or where they stand.
  Result<void> read_norm_or_flag(const ConfigValue& value, const std::string& name,
                                 std::string_view what) {
    constexpr std::string_view kInFront[] = {"pre", "preln", "prenorm"};
    constexpr std::string_view kBehind[] = {"post", "postln", "postnorm"};
    if (value.kind == Kind::kNone) return ok();
    if (value.kind == Kind::kBool || value.is_number()) {
      if (is_on(value)) return ok();
      return refuse(value, name, what);
    }
    if (is_one_of(last_part(value.text), kInFront)) return ok();
    if (is_one_of(last_part(value.text), kBehind)) {
      return refuse(value, name, "norms after each part (post-norm)");
    }
    return read_norm(value, name);
  }

  Result<void> read_position(const ConfigValue& value, const std::string& name) {
    constexpr std::string_view kNames[] = {"learned",
                                           "absolute",
                                           "learnable",
                                           "learnedabsolute",
                                           "absolutelearned",
                                           "wpe",
                                           "embedding",
                                           "gpt2",
                                           "default",
                                           "learnedembedding",
                                           "trainable",
                                           "trained",
                                           "learn",
                                           "abs",
                                           "positionalembedding",
                                           "positionembedding"};
    if (value.kind == Kind::kNone || (value.kind == Kind::kBool && value.integer == 1)) return ok();
    if (value.is_number()) return read_unknown(value, name);
    if (value.kind != Kind::kBool && is_one_of(last_part(value.text), kNames)) return ok();
    return refuse(value, name, "other positions than learned ones");
  }

  Result<void> read_model_type(const ConfigValue& value, const std::string& name) {
    if (value.kind == Kind::kNone) return ok();
    if (value.kind != Kind::kText) return wrong_type(name, "a string");
    auto preset = std::ranges::find(kPresets, value.text, &Preset::model_type);
    if (reading_.is_config_json ? value.text == "gpt2" : preset != std::end(kPresets)) {
      if (!reading_.is_config_json) fields_.preset_n_head = preset->n_head;
      return ok();
    }
    constexpr std::string_view kOwn[] = {"gpt",        "nanogpt", "mingpt",
                                         "distilgpt2", "gpt-2",   "transformer",
                                         "decoder",    "lm",      "language_model"};
    if (!reading_.is_config_json && is_one_of(value.text, kOwn)) return ok();
    return Error{ErrorCode::kUnsupported, fmt::format("config field {} is {}; expected 'gpt2'",
                                                      printable(name), in_quotes(value.text))};
  }

  // Of the classes of transformers' GPT-2, those that write text, and the model without a head.
  Result<void> read_architectures(const ConfigValue& value, const std::string& name) {
    for (const ConfigField& item : value.fields) {
      const std::string& text = item.value.text;
      constexpr std::string_view kClassifiers[] = {
          "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"};
      bool is_classifier = std::ranges::any_of(
          kClassifiers, [&](std::string_view kind) { return text.ends_with(kind); });
      if (is_classifier) {
        return Error{
            ErrorCode::kUnsupported,
            fmt::format("config field {} is {}: a model that was trained to classify and has "
                        "no head to write text with; expected GPT2LMHeadModel",
                        printable(name), in_quotes(text))};
      }
      constexpr std::string_view kWriters[] = {
          "GPT2LMHeadModel",   "GPT2Model",           "GPT2DoubleHeadsModel",
          "TFGPT2LMHeadModel", "FlaxGPT2LMHeadModel", "AutoModelForCausalLMWithValueHead"};
      if (!is_one_of(text, kWriters)) {
        unknown_.push_back(fmt::format("{} = {}", printable(name), config_value_text(item.value)));
      }
    }
    return ok();
  }

  const ConfigReading& reading_;
  ConfigFields& fields_;
  const std::map<std::string, std::string> before_;
  std::vector<std::string> unknown_;
  std::set<std::string> read_by_transformers_;
  std::optional<bool> tanh_;
  std::string tanh_name_, no_gelu_;
  bool is_plain_gelu_ = false;
};

}  // namespace

Result<void> read_config_fields(const ConfigValue& record, const ConfigReading& reading,
                                ConfigFields& fields) {
  Reader reader(reading, fields);
  CHORUS_TRY(reader.read(record, reading.place));
  return reader.finish();
}

}  // namespace chorus::checkpoint

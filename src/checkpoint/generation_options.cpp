#include "checkpoint/generation_options.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <iterator>

#include "core/printable.h"
#include "json/text.h"

namespace chorus::checkpoint {
namespace {

namespace json = boost::json;

struct GenerationOption {
  std::string_view name;
  double neutral;  // transformers' default, where that is a number
};

constexpr GenerationOption kOptions[] = {
    {"temperature", 1.0},
    {"top_k", 50.0},
    {"top_p", 1.0},
    {"min_p", 0.0},
    {"typical_p", 1.0},
    {"epsilon_cutoff", 0.0},
    {"eta_cutoff", 0.0},
    {"repetition_penalty", 1.0},
    {"encoder_repetition_penalty", 1.0},
    {"no_repeat_ngram_size", 0.0},
    {"encoder_no_repeat_ngram_size", 0.0},
    {"bad_words_ids", 0.0},
    {"force_words_ids", 0.0},
    {"suppress_tokens", 0.0},
    {"begin_suppress_tokens", 0.0},
    {"sequence_bias", 0.0},
    {"forced_bos_token_id", -1.0},
    {"forced_eos_token_id", -1.0},
    {"forced_decoder_ids", 0.0},
    {"exponential_decay_length_penalty", 0.0},
    {"min_length", 0.0},
    {"min_new_tokens", 0.0},
    {"num_beams", 1.0},
    {"num_beam_groups", 1.0},
    {"diversity_penalty", 0.0},
    {"penalty_alpha", 0.0},
    {"guidance_scale", 1.0},
    {"stop_strings", 0.0},
    {"dola_layers", 0.0},
    {"watermarking_config", 0.0},
    {"remove_invalid_values", 0.0},
    {"renormalize_logits", 0.0},
    {"constraints", 0.0},
    {"max_time", 0.0},
    {"num_return_sequences", 1.0},
};

// Fields of a generation_config.json that choose no token: ids, lengths, what is written out, how it
// is computed, and what acts only together with an option of the list above.
constexpr std::string_view kHarmless[] = {"bos_token_id",
                                          "eos_token_id",
                                          "pad_token_id",
                                          "decoder_start_token_id",
                                          "transformers_version",
                                          "_from_model_config",
                                          "_commit_hash",
                                          "use_cache",
                                          "low_memory",
                                          "early_stopping",
                                          "length_penalty",
                                          "return_dict_in_generate",
                                          "output_attentions",
                                          "output_hidden_states",
                                          "output_scores",
                                          "output_logits",
                                          "is_assistant",
                                          "num_assistant_tokens",
                                          "num_assistant_tokens_schedule",
                                          "assistant_confidence_threshold",
                                          "assistant_early_exit",
                                          "assistant_lookbehind",
                                          "target_lookbehind",
                                          "prompt_lookup_num_tokens",
                                          "max_matching_ngram_size",
                                          "compile_config",
                                          "disable_compile",
                                          "prefill_chunk_size",
                                          "trust_remote_code",
                                          "use_model_defaults",
                                          "max_length",
                                          "max_new_tokens"};

bool is_neutral(const json::value& value, double neutral) {
  switch (value.kind()) {
    case json::kind::null:
      return true;
    case json::kind::bool_:
      return !value.get_bool();
    case json::kind::array:
      return value.get_array().empty();
    case json::kind::object:
      return value.get_object().empty();
    case json::kind::string:
      return value.get_string().empty();
    default:
      return value.to_number<double>() == neutral;
  }
}

std::string shown(const json::value& value) {
  if (value.is_double()) return json_number(value.get_double());
  return printable(json::serialize(value));
}

}  // namespace

std::vector<std::string> stated_generation_options(const json::object& config,
                                                   bool is_generation_config) {
  std::vector<std::string> stated;
  auto add = [&stated](std::string_view name, const json::value& value) {
    stated.push_back(printable(name) + " " + shown(value));
  };
  for (const GenerationOption& option : kOptions) {
    const json::value* value = config.if_contains(option.name);
    if (value == nullptr) continue;
    // Null is no top-k there, and the field's absence 50.
    bool is_no_top_k = is_generation_config && value->is_null() && option.name == "top_k";
    if (is_no_top_k || !is_neutral(*value, option.neutral)) add(option.name, *value);
  }
  if (!is_generation_config) return stated;
  for (const auto& [name, value] : config) {
    if (name == "do_sample") {
      if (value == json::value(false)) add(name, value);
      continue;
    }
    bool is_known = std::ranges::find(kOptions, std::string_view(name), &GenerationOption::name) !=
                        std::end(kOptions) ||
                    std::ranges::find(kHarmless, std::string_view(name)) != std::end(kHarmless);
    if (!is_known && !is_neutral(value, 0)) add(name, value);
  }
  return stated;
}

}  // namespace chorus::checkpoint

#include "checkpoint/generation_options.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "core/printable.h"
#include "json/text.h"

namespace chorus::checkpoint {
namespace {

namespace json = boost::json;

struct GenerationOption {
  const char* name;
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
};

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

std::vector<std::string> stated_generation_options(const json::object& config) {
  std::vector<std::string> stated;
  for (const GenerationOption& option : kOptions) {
    const json::value* value = config.if_contains(option.name);
    if (value == nullptr || is_neutral(*value, option.neutral)) continue;
    stated.push_back(std::string(option.name) + " " + shown(*value));
  }
  return stated;
}

}  // namespace chorus::checkpoint

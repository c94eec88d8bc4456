#include "server/api/unsupported_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <string_view>

namespace chorus::server {
namespace {

namespace json = boost::json;

struct Unsupported {
  std::string_view name;     // ending with '*': every field that begins so
  std::string_view neutral;  // a JSON array: values that change nothing, beside null
  std::string_view instead;  // what to do, or why not
};

constexpr std::string_view kNotConstrained = "text is not constrained here";
constexpr std::string_view kNoTools = "GPT-2 knows no tools";
constexpr std::string_view kNoSampler = "this sampler is not part of Chorus";

constexpr Unsupported kUnsupported[] = {
    // The form of the text.
    {"response_format", R"([{"type":"text"},"text",{}])", kNotConstrained},
    {"guided_*", R"([false,"",[],{}])", kNotConstrained},
    {"structured_outputs", R"([false,{}])", kNotConstrained},
    {"grammar", R"(["",false])", kNotConstrained},
    {"json_schema", R"([{},""])", kNotConstrained},
    {"regex", R"([""])", kNotConstrained},
    {"ebnf", R"([""])", kNotConstrained},
    {"bad_words", "[[]]", "logit_bias -100 keeps single tokens out"},
    {"allowed_token_ids", "[]", kNotConstrained},
    {"logits_processors", "[[]]", kNotConstrained},
    {"logits_processor", "[[]]", kNotConstrained},
    // Tools and other kinds of content.
    {"tools", "[[]]", kNoTools},
    {"functions", "[[]]", kNoTools},
    {"tool_choice", R"(["none","auto"])", kNoTools},
    {"function_call", R"(["none","auto"])", kNoTools},
    {"parallel_tool_calls", "[true,false]", kNoTools},
    {"web_search_options", "[{}]", kNoTools},
    {"modalities", R"([["text"],[]])", "text alone comes out"},
    {"audio", "[{}]", "text alone comes out"},
    {"prediction", "[]", "nothing is predicted ahead"},
    {"reasoning_effort", R"(["none"])", "GPT-2 does not reason apart from its text"},
    {"reasoning", "[{}]", "GPT-2 does not reason apart from its text"},
    {"thinking", R"([false,{},{"type":"disabled"}])", "GPT-2 does not reason apart from its text"},
    {"include_reasoning", "[false,true]", "GPT-2 does not reason apart from its text"},
    {"verbosity", R"(["medium"])", "max_tokens bounds the text"},
    {"prompt_embeds", R"(["",[]])", "give prompt"},
    {"multi_modal_data", "[{}]", "give prompt"},
    {"mm_processor_kwargs", "[{}]", "give prompt"},
    {"images", "[[]]", "give prompt"},
    {"image_data", "[[]]", "give prompt"},
    {"documents", "[[]]", "write them into the prompt"},
    // What is read.
    {"truncate_prompt_tokens", "[false]", "shorten the prompt, which POST /tokenize counts"},
    {"truncation", R"(["disabled",false])", "shorten the prompt, which POST /tokenize counts"},
    {"input", "[]", "give prompt"},
    {"inputs", "[]", "give prompt"},
    {"n_keep", "[0,-1]", "past_block crop moves the window by one token at a time"},
    {"adapters", "[[],{}]", "name another model in model"},
    {"adapter_id", R"([""])", "name another model in model"},
    {"lora", "[[]]", "name another model in model"},
    {"lora_request", "[{}]", "name another model in model"},
    // Other searches, other samplers.
    {"use_beam_search", "[false]", "samples are drawn; temperature 0 takes the likeliest token"},
    {"num_beams", "[1,0]", "samples are drawn; temperature 0 takes the likeliest token"},
    {"beam_width", "[1,0]", "samples are drawn; temperature 0 takes the likeliest token"},
    {"beam_size", "[1,0]", "samples are drawn; temperature 0 takes the likeliest token"},
    {"length_penalty", "[1]", "it belongs to beam search"},
    {"early_stopping", "[false]", "it belongs to beam search"},
    {"diversity_penalty", "[0]", "it belongs to beam search"},
    {"num_beam_groups", "[1,0]", "it belongs to beam search"},
    {"do_sample", "[true]", "temperature 0 takes the likeliest token"},
    {"greedy", "[false]", "temperature 0 takes the likeliest token"},
    {"typical", "[1,0]", kNoSampler},
    {"typical_p", "[1,0]", kNoSampler},
    {"tfs", "[1]", kNoSampler},
    {"tfs_z", "[1]", kNoSampler},
    {"top_a", "[0]", kNoSampler},
    {"epsilon_cutoff", "[0]", kNoSampler},
    {"eta_cutoff", "[0]", kNoSampler},
    {"mirostat", "[0,false]", kNoSampler},
    {"mirostat_mode", "[0]", kNoSampler},
    {"dynatemp_range", "[0]", kNoSampler},
    {"dynamic_temperature", "[false]", kNoSampler},
    {"smoothing_factor", "[0]", kNoSampler},
    {"xtc_probability", "[0]", kNoSampler},
    {"dry_multiplier", "[0]", kNoSampler},
    {"top_n_sigma", "[-1,0]", kNoSampler},
    {"nsigma", "[0]", kNoSampler},
    {"penalty_alpha", "[0]", kNoSampler},
    {"guidance_scale", "[1]", kNoSampler},
    {"negative_prompt", R"([""])", kNoSampler},
    {"watermark", "[false]", kNoSampler},
    {"no_repeat_ngram_size", "[0]", "frequency_penalty and repetition_penalty are here"},
    {"encoder_repetition_penalty", "[1]", "repetition_penalty is here"},
    {"repeat_penalty", "[1]", "it is called repetition_penalty here"},
    {"repeat_last_n", "[0]", "repetition_penalty looks at the whole text"},
    {"repetition_penalty_range", "[0]", "repetition_penalty looks at the whole text"},
    // Other names of what is here.
    {"n_predict", "[]", "it is called max_tokens here"},
    {"max_new_tokens", "[]", "it is called max_tokens here"},
    {"max_length", "[]", "it is called max_tokens here, and counts the result alone"},
    {"min_new_tokens", "[0]", "it is called min_tokens here"},
    {"min_length", "[0]", "it is called min_tokens here, and counts the result alone"},
    {"num_return_sequences", "[1]", "it is called n here"},
    {"stop_sequences", "[[]]", "it is called stop here"},
    {"stopping_strings", "[[]]", "it is called stop here"},
    {"n_probs", "[0]", "it is called logprobs here"},
    {"random_seed", "[]", "it is called seed here"},
    // The form of the answer.
    {"skip_special_tokens", "[true]", "the end of a text is not part of it"},
    {"spaces_between_special_tokens", "[true,false]", ""},
    {"detokenize", "[true]", "logprobs lists the tokens"},
    {"return_tokens_as_token_ids", "[false]", "tokens are told by their text"},
    {"return_prompt_logits", "[false]", "prompt_logprobs is here"},
};

// Nothing of the text depends on them.
constexpr std::string_view kHarmless[] = {"user",
                                          "metadata",
                                          "store",
                                          "service_tier",
                                          "safety_identifier",
                                          "prompt_cache_key",
                                          "request_id",
                                          "prompt_cache_retention"};

// 1.0 is 1.
bool is_same(const json::value& one, const json::value& other) {
  if (one.is_number() && other.is_number()) {
    return one.to_number<double>() == other.to_number<double>();
  }
  return one == other;
}

bool is_neutral(const json::value& value, std::string_view neutral) {
  if (value.is_null()) return true;
  const json::value values = json::parse(json::string_view(neutral.data(), neutral.size()));
  return std::any_of(values.get_array().begin(), values.get_array().end(),
                     [&](const json::value& one) { return is_same(value, one); });
}

std::string problem(const Unsupported& field) {
  std::string_view values = field.neutral.substr(1, field.neutral.size() - 2);
  return fmt::format("this is not done here ({}); expected it absent{}{}", field.instead,
                     values.empty() ? "" : " or one of ", values);
}

}  // namespace

void refuse_unsupported(const json::object& body, JsonFields& fields) {
  for (std::string_view name : kHarmless) fields.find(name);
  // `shown`: the name, where the client made it up.
  auto refuse = [&fields](std::string_view name, const json::value& value, const Unsupported& field,
                          std::string_view shown) {
    fields.find(name);
    if (!is_neutral(value, field.neutral)) fields.fail(name, problem(field), std::string(shown));
  };
  for (const Unsupported& field : kUnsupported) {
    if (!field.name.ends_with('*')) {
      const json::value* value = body.if_contains(field.name);
      if (value != nullptr) refuse(field.name, *value, field, {});
      continue;
    }
    std::string_view prefix = field.name.substr(0, field.name.size() - 1);
    for (const auto& [key, value] : body) {
      std::string_view name(key.data(), key.size());
      if (name.starts_with(prefix)) refuse(name, value, field, name);
    }
  }
}

}  // namespace chorus::server

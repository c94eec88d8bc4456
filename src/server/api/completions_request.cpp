#include "server/api/completions_request.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <utility>

#include "chorus/engine.h"
#include "chorus/sampling.h"
#include "json/text.h"
#include "json/value.h"
#include "sampling/sampling_json.h"
#include "server/api/request_body.h"
#include "server/api/unsupported_fields.h"

namespace chorus::server {
namespace {

namespace json = boost::json;

constexpr const char* kContextLength = "context_length_exceeded";

constexpr const char* kPromptKinds =
    "a string, an array of strings, an array of token ids, or an array of those";

// One element of an array of prompts. Nothing if it is neither text nor ids.
std::optional<Prompt> prompt_of(const json::value& value) {
  if (value.is_string()) return Prompt{std::string(value.get_string()), {}};
  Prompt prompt;
  if (read_json(value, prompt.ids) != nullptr || prompt.ids.empty()) return std::nullopt;
  return prompt;
}

void read_prompts(JsonFields& fields, CompletionsRequest& request) {
  const json::value* field = fields.find("prompt");
  if (field == nullptr) return fields.refuse("prompt", kPromptKinds);
  if (auto single = prompt_of(*field)) {
    request.prompts.push_back(std::move(*single));
    return;
  }
  if (!field->is_array() || field->get_array().empty()) {
    return fields.refuse("prompt", kPromptKinds);
  }
  if (field->get_array().size() > kMostChoices) {
    return fields.refuse("prompt", fmt::format("at most {} prompts", kMostChoices));
  }
  for (const json::value& element : field->get_array()) {
    auto prompt = prompt_of(element);
    if (!prompt) {
      return fields.refuse_element("prompt", kPromptKinds, request.prompts.size(), element);
    }
    request.prompts.push_back(std::move(*prompt));
  }
}

// Empty strings are ignored, as they would end every text before it begins.
void read_stop(JsonFields& fields, Request& base) {
  const std::string expected = fmt::format("a string, or at most {} of them with {} bytes in all",
                                           kMostStopStrings, kMostStopBytes);
  const json::value* field = fields.find("stop");
  if (field == nullptr) return;
  std::size_t bytes = 0, index = 0;
  auto add = [&](const json::value& value) {
    if (!value.is_string()) {
      return field->is_array() ? fields.refuse_element("stop", expected, index, value)
                               : fields.refuse("stop", expected);
    }
    ++index;
    bytes += value.get_string().size();
    if (bytes > kMostStopBytes) return fields.refuse("stop", expected);
    if (!value.get_string().empty()) base.stop.emplace_back(value.get_string());
  };
  if (!field->is_array()) return add(*field);
  if (field->get_array().size() > kMostStopStrings) return fields.refuse("stop", expected);
  for (const json::value& value : field->get_array()) add(value);
}

void read_logit_bias(JsonFields& fields, SamplingParams& sampling) {
  const std::string expected = fmt::format(
      "an object of at most {} token ids with numbers from -100 to 100", kMostLogitBiases);
  const json::value* field = fields.find("logit_bias");
  if (field == nullptr) return;
  if (!field->is_object() || field->get_object().size() > kMostLogitBiases) {
    return fields.refuse("logit_bias", expected);
  }
  for (const auto& [key, value] : field->get_object()) {
    std::int32_t id = 0;
    auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    bool is_id = error == std::errc() && end == key.data() + key.size() && id >= 0;
    double bias = value.is_number() ? value.to_number<double>() : 1000.0;
    if (!is_id || !(bias >= -100.0 && bias <= 100.0)) {
      std::string entry =
          fmt::format("{}: {}", json_string_excerpt({key.data(), key.size()}), json_excerpt(value));
      return fields.fail("logit_bias", fmt::format("expected {}; found {}", expected, entry),
                         entry);
    }
    sampling.logit_bias.emplace_back(id, static_cast<float>(bias));
  }
}

// The fields as everywhere, but that -1 also stands for all in top_k, as vLLM has it.
struct CompletionsFields : sampling::SamplingJson {
  explicit CompletionsFields(JsonFields& fields)
      : SamplingJson(fields), top_k(fields.find("top_k")) {}
  using SamplingJson::number;
  void number(const sampling::NumberField<std::int32_t>& field, std::int32_t& value) {
    std::int32_t whole = 0;
    bool is_top_k = std::string_view(field.name) == "top_k" && top_k != nullptr;
    if (is_top_k && read_json(*top_k, whole) == nullptr && whole == -1) {
      value = 0;
    } else {
      SamplingJson::number(field, value);
    }
  }
  const json::value* top_k;
};

void read_sampling(JsonFields& fields, CompletionsRequest& request) {
  SamplingParams& sampling = request.base.sampling;
  sampling.top_k = 0;  // OpenAI's sampler has none
  sampling::visit_sampling_fields(request.base, CompletionsFields(fields));
  request.has_seed = fields.has("seed");
  read_logit_bias(fields, sampling);
}

void read_ends(JsonFields& fields, Request& base) {
  read_stop(fields, base);
  fields.read("stop_token_ids", base.stop_ids);
  if (base.stop_ids.size() > kMostStopIds) {
    fields.refuse("stop_token_ids", fmt::format("at most {} token ids", kMostStopIds));
  }
  fields.read("include_stop_str_in_output", base.include_stop);
}

void read_stream(JsonFields& fields, CompletionsRequest& request) {
  fields.read("stream", request.stream);
  if (const json::value* options = fields.find("stream_options")) {
    if (!options->is_object()) return fields.refuse("stream_options", "an object");
    if (!request.stream) return fields.refuse("stream_options", "it only with stream true");
    const json::value* usage = options->get_object().if_contains("include_usage");
    if (usage != nullptr && !usage->is_null()) {
      if (!usage->is_bool()) return fields.refuse("stream_options", "include_usage true or false");
      request.include_usage = usage->get_bool();
    }
    const json::value* continuous = options->get_object().if_contains("continuous_usage_stats");
    if (continuous != nullptr && *continuous != false && !continuous->is_null()) {
      fields.fail("stream_options", "continuous_usage_stats: this is not done here");
    }
  }
}

void read_max_tokens(JsonFields& fields, CompletionsRequest& request) {
  std::optional<std::int32_t> old_name, new_name;
  fields.read("max_tokens", old_name, 0);
  fields.read("max_completion_tokens", new_name, 0);
  if (old_name && new_name && *old_name != *new_name) {
    fields.fail("max_completion_tokens",
                fmt::format("expected the same as max_tokens, {}, found {}", *old_name, *new_name));
  }
  request.fills_block = request.is_chat && !old_name && !new_name;
  request.max_tokens = old_name.value_or(new_name.value_or(request.max_tokens));
}

void read_choices(JsonFields& fields, CompletionsRequest& request) {
  fields.read("n", request.base.n, 1, kMostChoicesEach);
  std::int32_t best_of = request.base.n;
  fields.read("best_of", best_of, 1, kMostChoicesEach);
  if (best_of != request.base.n) fields.refuse("best_of", "the same number as n");
  if (request.prompts.size() * static_cast<std::size_t>(request.base.n) > kMostChoices) {
    fields.refuse("prompt",
                  fmt::format("at most {} choices in all (prompts times n)", kMostChoices));
  }
  const json::value* suffix = fields.find("suffix");
  if (suffix != nullptr && !(suffix->is_string() && suffix->get_string().empty())) {
    fields.refuse("suffix", "none, as GPT-2 only continues a text");
  }
}

}  // namespace

void read_common(JsonFields& fields, const json::object& body, CompletionsRequest& request) {
  fields.read("model", request.model);
  fields.read("cache_salt", request.cache_salt);
  read_max_tokens(fields, request);
  fields.read("special", request.special);
  read_choices(fields, request);
  read_sampling(fields, request);
  read_ends(fields, request.base);
  read_stream(fields, request);
  fields.read("rank_and_entropy", request.base.rank_and_entropy);
  if (request.base.rank_and_entropy && !request.logprobs && !request.prompt_logprobs) {
    fields.refuse("rank_and_entropy", "it only with logprobs or prompt_logprobs");
  }
  refuse_unsupported(body, fields);
}

ApiResult<CompletionsRequest> finish_request(const JsonFields& fields, CompletionsRequest request) {
  request.ignored = fields.unknown();
  if (auto error = fields.error()) return *error;
  if (auto checked = check(request.base.sampling); !checked) {
    return to_api_error(checked.assume_error());
  }
  request.base.logprobs = request.logprobs;
  request.base.prompt_logprobs = request.prompt_logprobs;
  if (request.echo && request.logprobs) {
    request.base.prompt_logprobs = std::max(*request.logprobs, request.prompt_logprobs.value_or(0));
  }
  request.base.echo = request.echo;
  return request;
}

ApiResult<CompletionsRequest> parse_completions(std::string_view body) {
  CHORUS_TRY(json::object object, parse_body(body));
  JsonFields fields(object);
  CompletionsRequest request;
  read_prompts(fields, request);
  fields.read("echo", request.echo);
  fields.read("logprobs", request.logprobs, 0, kMostLogprobs);
  fields.read("prompt_logprobs", request.prompt_logprobs, 0, kMostLogprobs);
  fields.read("return_token_ids", request.return_token_ids);
  if (fields.has("messages")) {
    fields.fail("messages",
                "this route takes prompt; messages belong to POST /v1/chat/completions");
  }
  read_common(fields, object, request);
  return finish_request(fields, std::move(request));
}

ApiResult<void> check_ids(const std::vector<std::int32_t>& ids, const std::string& field,
                          const ModelInfo& info) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < info.usable_ids) continue;
    return ApiError(
        400,
        fmt::format("{}[{}]: expected an id from 0 to {}, which the model's tokens have, "
                    "found {}",
                    field, i, info.usable_ids - 1, ids[i]),
        field);
  }
  return ok();
}

LongestText::LongestText(PastBlock past_block, std::int32_t block_size)
    : tokens(past_block == PastBlock::kCrop ? kMostTokens : block_size),
      why(past_block == PastBlock::kCrop ? "with past_block crop" : "the model's block size") {}

ApiResult<std::vector<std::int32_t>> prompt_ids(std::string_view text, bool special,
                                                const Engine& engine, PastBlock past_block) {
  LongestText longest(past_block, engine.info().block_size);
  std::optional<std::size_t> token_bytes = engine.most_token_bytes();
  if (token_bytes && text.size() > static_cast<std::size_t>(longest.tokens) * *token_bytes) {
    return ApiError(
        400,
        fmt::format("prompt: expected at most {} tokens ({}), found {} bytes, which are "
                    "more. This model's maximum context length is {} tokens",
                    longest.tokens, longest.why, text.size(), longest.tokens),
        "prompt", kContextLength);
  }
  Result<std::vector<std::int32_t>> ids = engine.encode(text, special);
  if (!ids) return bad_field("prompt", ids.assume_error().message);
  if (!ids.assume_value().empty()) return std::move(ids.assume_value());
  Result<std::int32_t> bos = engine.bos();
  if (!bos)
    return bad_field("prompt", "expected a text, found none: " + bos.assume_error().message);
  return std::vector{bos.assume_value()};
}

namespace {

ApiResult<void> check_logit_bias(const SamplingParams& sampling, const ModelInfo& info) {
  std::vector<std::int32_t> ids;
  for (const auto& [id, bias] : sampling.logit_bias) ids.push_back(id);
  return check_ids(ids, "logit_bias", info);
}

// In OpenAI's words, which clients look for, and then in ours.
ApiResult<void> check_length(const LongestText& longest, std::int64_t prompt,
                             const CompletionsRequest& request) {
  std::int64_t max_tokens = request.max_tokens;
  if (prompt + max_tokens <= longest.tokens) return ok();
  std::string message =
      fmt::format("This model's maximum context length is {} tokens", longest.tokens);
  std::string field = request.is_chat ? "messages" : "prompt";
  bool is_prompt = prompt > longest.tokens;
  if (request.is_chat && is_prompt) {
    message += fmt::format(
        ". However, your messages resulted in {} tokens. Please reduce the length "
        "of the messages.",
        prompt);
  } else if (request.is_chat) {
    message += fmt::format(
        ". However, you requested {} tokens ({} in the messages, {} in the "
        "completion). Please reduce the length of the messages or completion.",
        prompt + max_tokens, prompt, max_tokens);
  } else {
    message += fmt::format(
        ", however you requested {} tokens ({} in your prompt; {} for the "
        "completion). Please reduce your prompt; or completion length.",
        prompt + max_tokens, prompt, max_tokens);
  }
  if (is_prompt) {
    message += fmt::format(" {}: expected at most {} tokens ({}), found {}", field, longest.tokens,
                           longest.why, prompt);
    return ApiError(400, message, field, kContextLength);
  }
  message += fmt::format(" max_tokens: expected at most {} ({}, less the prompt), found {}",
                         longest.tokens - prompt, longest.why, max_tokens);
  return ApiError(400, message, "max_tokens", kContextLength);
}

}  // namespace

ApiResult<std::vector<Request>> to_engine_requests(CompletionsRequest& request,
                                                   const Engine& engine,
                                                   const std::atomic<bool>& is_given_up) {
  LongestText longest(request.base.past_block, engine.info().block_size);
  CHORUS_TRY(check_ids(request.base.stop_ids, "stop_token_ids", engine.info()));
  CHORUS_TRY(check_logit_bias(request.base.sampling, engine.info()));
  if (!request.fills_block && request.base.min_tokens > request.max_tokens) {
    return bad_field("min_tokens", fmt::format("expected at most max_tokens, {}, found {}",
                                               request.max_tokens, request.base.min_tokens));
  }
  std::vector<Request> requests;
  for (Prompt& prompt : request.prompts) {
    if (is_given_up) break;
    CHORUS_TRY(check_ids(prompt.ids, "prompt", engine.info()));
    if (prompt.ids.empty()) {
      CHORUS_TRY(prompt.ids,
                 prompt_ids(prompt.text, request.special, engine, request.base.past_block));
    } else {
      prompt.text = engine.decode(prompt.ids);
    }
    auto length = static_cast<std::int64_t>(prompt.ids.size());
    if (request.fills_block) {
      std::int64_t rest = std::max<std::int64_t>(engine.info().block_size - length, 1);
      request.max_tokens = static_cast<std::int32_t>(rest);
    }
    CHORUS_TRY(check_length(longest, length, request));
    Request one = request.base;
    one.prompt = prompt.ids;
    one.max_length = static_cast<std::int32_t>(length) + request.max_tokens;
    requests.push_back(std::move(one));
  }
  return requests;
}

}  // namespace chorus::server

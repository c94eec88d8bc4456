#include "server/api/generate_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "chorus/engine.h"
#include "chorus/sampling.h"
#include "core/utf8.h"
#include "json/fields.h"
#include "sampling/sampling_json.h"
#include "server/api/completions_request.h"
#include "server/api/request_body.h"

namespace chorus::server {
namespace {

constexpr sampling::NumberField<std::int32_t> kMaxLength{
    {"max_length", "Tokens of prompt and result"},
    "TOKENS",
    1,
    std::numeric_limits<std::int32_t>::max()};
constexpr sampling::NumberField<std::int32_t> kMaxNewTokens{
    {"max_new_tokens", "Tokens of the result, instead of max_length"},
    "TOKENS",
    1,
    std::numeric_limits<std::int32_t>::max()};

// The fields of sampling_fields.h among the parameters of a query. The first that is wrong is kept.
class QueryFields {
 public:
  explicit QueryFields(const Target& target) : target_(target) {}

  template <class Number>
  void number(const sampling::NumberField<Number>& field, Number& value) {
    const std::string* text = target_.parameter(field.name);
    if (text == nullptr) return;
    const char* end = text->data() + text->size();
    auto [stop, error] = std::from_chars(text->data(), end, value);
    bool is_number = error == std::errc() && stop == end;
    if (!is_number || !(value >= field.low && value <= field.high)) {
      refuse(field.name, range_text(field), *text);
    }
  }
  template <class Value>
  void word(const sampling::WordField& field, Value& value) {
    const std::string* text = target_.parameter(field.name);
    if (text != nullptr && !sampling::set_word(*text, value)) {
      refuse(field.name, fmt::format("one of {}", fmt::join(field.words, ", ")), *text);
    }
  }
  template <class Bool>
  void flag(const sampling::Field& field, Bool& value) {
    const std::string* text = target_.parameter(field.name);
    if (text == nullptr) return;
    value = *text == "true";
    if (*text != "true" && *text != "false") refuse(field.name, "true or false", *text);
  }
  void seed(const sampling::Field& field, std::uint64_t& value) {
    const std::string* text = target_.parameter(field.name);
    if (text == nullptr) return;
    auto seed = sampling::parse_seed(*text);
    value = seed.value_or(0);
    if (!seed) refuse(field.name, "a whole number of 64 bits", *text);
  }

  const std::optional<ApiError>& error() const { return error_; }

 private:
  void refuse(const char* name, const std::string& expected, const std::string& text) {
    if (error_) return;
    error_ = bad_field(
        name, fmt::format("expected {}, found \"{}\"", expected, replace_ill_formed(text)));
  }

  const Target& target_;
  std::optional<ApiError> error_;
};

}  // namespace

ApiResult<GenerateRequest> parse_generate(std::string_view prompt, const Target& target) {
  if (!is_well_formed(prompt)) return bad_field("prompt", "expected UTF-8");
  GenerateRequest request;
  request.prompt = std::string(prompt);
  QueryFields fields(target);
  std::int32_t max_length = 0, max_new_tokens = 0;
  fields.number(kMaxLength, max_length);
  fields.number(kMaxNewTokens, max_new_tokens);
  if (max_length > 0) request.length.max_length = max_length;
  if (max_new_tokens > 0) request.length.max_new_tokens = max_new_tokens;
  sampling::visit_sampling_fields(request.base, fields);
  request.has_seed = target.parameter("seed") != nullptr;
  if (const std::string* model = target.parameter("model")) request.model = *model;
  if (const std::string* salt = target.parameter("cache_salt")) request.cache_salt = *salt;
  if (fields.error()) return *fields.error();
  return request;
}

ApiResult<GenerateRequest> parse_generate_body(std::string_view body) {
  CHORUS_TRY(boost::json::object object, parse_body(body));
  JsonFields fields(object);
  GenerateRequest request;
  fields.read("model", request.model);
  fields.read("cache_salt", request.cache_salt);
  fields.read("prompt", request.prompt);
  fields.read("prompt_ids", request.prompt_ids);
  if (fields.has("prompt") == fields.has("prompt_ids")) {
    fields.refuse("prompt", "either prompt or prompt_ids");
  }
  fields.read("special", request.special);
  fields.read("max_length", request.length.max_length, kMaxLength.low);
  fields.read("max_new_tokens", request.length.max_new_tokens, kMaxNewTokens.low);
  sampling::visit_sampling_fields(request.base, sampling::SamplingJson(fields));
  request.has_seed = fields.has("seed");
  if (auto error = fields.error()) return *error;
  return request;
}

ApiResult<Request> to_engine_request(GenerateRequest& request, const Engine& engine) {
  Request result = request.base;
  result.prompt = request.prompt_ids;
  if (result.prompt.empty()) {
    CHORUS_TRY(result.prompt,
               prompt_ids(request.prompt, request.special, engine, request.base.past_block));
  } else {
    request.prompt = engine.decode(result.prompt);
  }
  Result<std::int32_t> length =
      total_length(request.length, result.prompt.size(), request.base.past_block,
                   engine.info().block_size, "max_length or max_new_tokens");
  if (!length) return to_api_error(length.assume_error());
  result.max_length = length.assume_value();
  return result;
}

}  // namespace chorus::server

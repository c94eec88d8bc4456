#include "server/api/generate_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chorus/engine.h"
#include "chorus/sampling.h"
#include "core/printable.h"
#include "core/utf8.h"
#include "json/fields.h"
#include "json/text.h"
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

// What the origin's page offers; PyTorch's names for the places where a model may be.
bool is_device(std::string_view text) {
  constexpr std::string_view kNumbered = "cuda:";
  if (text == "cpu" || text == "cuda" || text == "mps") return true;
  std::string_view number = text.substr(std::min(kNumbered.size(), text.size()));
  return text.starts_with(kNumbered) && !number.empty() && number.size() <= 3 &&
         std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}
constexpr const char* kDevices = "cpu, cuda, cuda:N or mps";

template <class Names>
ApiError no_such_field(const std::string& name, const Names& known) {
  std::string shown = printable(name);
  return bad_field(
      shown, fmt::format("expected one of {}; there is no such parameter", fmt::join(known, ", ")),
      shown);
}

// The fields of sampling_fields.h and others among the parameters of a query. An empty parameter is
// an absent one. The first that is wrong is kept.
class QueryFields {
 public:
  explicit QueryFields(const Target& target) : target_(target) {}

  template <class Number>
  void number(const sampling::NumberField<Number>& field, Number& value) {
    const std::string* text = find(field.name);
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
    const std::string* text = find(field.name);
    if (text != nullptr && !sampling::set_word(*text, value)) {
      refuse(field.name, fmt::format("one of {}", fmt::join(field.words, ", ")), *text);
    }
  }
  template <class Bool>
  void flag(const sampling::Field& field, Bool& value) {
    flag(field.name, value);
  }
  template <class Bool>
  void flag(const char* name, Bool& value) {
    const std::string* text = find(name);
    if (text == nullptr) return;
    value = *text == "true";
    if (*text != "true" && *text != "false") refuse(name, "true or false", *text);
  }
  void seed(const sampling::Field& field, std::uint64_t& value) {
    const std::string* text = find(field.name);
    if (text == nullptr) return;
    auto seed = sampling::parse_seed(*text);
    value = seed.value_or(0);
    if (!seed) refuse(field.name, "a whole number of 64 bits", *text);
  }
  // True if it is there.
  bool text(const char* name, std::string& value) {
    const std::string* found = find(name);
    if (found != nullptr) value = *found;
    return found != nullptr;
  }

  void refuse(const char* name, const std::string& expected, const std::string& text) {
    std::string excerpt = json_string_excerpt(text);
    fail(name, fmt::format("expected {}, found {}", expected, excerpt), excerpt);
  }
  // To be asked at the end.
  std::optional<ApiError> error() {
    for (const auto& [name, value] : target_.parameters) {
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      if (!error_) error_ = no_such_field(name, known_);
    }
    return error_;
  }

 private:
  const std::string* find(const char* name) {
    known_.emplace_back(name);
    const std::string* found = nullptr;
    for (const auto& [key, value] : target_.parameters) {
      if (key != name || value.empty()) continue;
      if (found != nullptr) fail(name, "expected the parameter once, found it several times");
      found = &value;
    }
    return found;
  }
  void fail(const std::string& name, const std::string& what, std::string shown = {}) {
    if (!error_) error_ = bad_field(name, what, std::move(shown));
  }

  const Target& target_;
  std::vector<std::string_view> known_;
  std::optional<ApiError> error_;
};

}  // namespace

ApiResult<GenerateRequest> parse_generate(std::optional<std::string_view> prompt,
                                          const Target& target) {
  GenerateRequest request;
  QueryFields fields(target);
  bool has_parameter = fields.text("prompt", request.prompt);
  if (prompt && (!prompt->empty() || !has_parameter)) {
    if (has_parameter) return bad_field("prompt", "expected it in the path or in the query");
    request.prompt = std::string(*prompt);
  } else if (!has_parameter) {
    return bad_field("prompt", "expected /generate/PROMPT or /generate?prompt=PROMPT");
  }
  if (!is_well_formed(request.prompt)) return bad_field("prompt", "expected UTF-8");
  std::int32_t max_length = 0, max_new_tokens = 0;
  fields.number(kMaxLength, max_length);
  fields.number(kMaxNewTokens, max_new_tokens);
  if (max_length > 0) request.length.max_length = max_length;
  if (max_new_tokens > 0) request.length.max_new_tokens = max_new_tokens;
  sampling::visit_sampling_fields(request.base, fields);
  std::string seed;
  request.has_seed = fields.text("seed", seed);
  fields.text("model", request.model);
  if (fields.text("device", request.device) && !is_device(request.device)) {
    fields.refuse("device", kDevices, request.device);
  }
  fields.text("cache_salt", request.cache_salt);
  fields.flag("special", request.special);
  if (auto error = fields.error()) return *error;
  return request;
}

ApiResult<GenerateRequest> parse_generate_body(std::string_view body) {
  CHORUS_TRY(boost::json::object object, parse_body(body));
  // As in the query: what is empty was not filled in. An empty prompt is one.
  for (auto& field : object) {
    const auto* text = field.value().if_string();
    if (text != nullptr && text->empty() && field.key() != "prompt") field.value() = nullptr;
  }
  JsonFields fields(object);
  GenerateRequest request;
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
  fields.read("model", request.model);
  std::string device;
  fields.read("device", device);
  if (!device.empty() && !is_device(device)) fields.refuse("device", kDevices);
  fields.read("cache_salt", request.cache_salt);
  if (auto error = fields.error()) return *error;
  for (const std::string& name : fields.unknown()) {
    return no_such_field(name, fields.known());
  }
  return request;
}

ApiResult<Request> to_engine_request(GenerateRequest& request, const Engine& engine) {
  CHORUS_TRY(check_ids(request.prompt_ids, "prompt_ids", engine.info()));
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
  auto most = result.max_length - static_cast<std::int32_t>(result.prompt.size());
  if (result.min_tokens > most) {
    return bad_field("min_tokens", fmt::format("expected at most {} (the length less the prompt's "
                                               "{}), found {}",
                                               most, result.prompt.size(), result.min_tokens));
  }
  return result;
}

}  // namespace chorus::server

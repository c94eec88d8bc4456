#include "server/api/generate_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <utility>

#include "chorus/engine.h"
#include "chorus/sampling.h"
#include "core/utf8.h"
#include "server/api/completions_request.h"
#include "server/api/request_body.h"

namespace chorus::server {
namespace {

// A parameter's text as a number; ranges are the engine's to check.
template <class T>
ApiResult<bool> read(const Target& target, const char* name, const char* expected, T& value) {
  const std::string* text = target.parameter(name);
  if (text == nullptr) return false;
  const char* end = text->data() + text->size();
  auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error == std::errc() && stop == end) return true;
  return bad_field(name,
                   fmt::format("expected {}, found \"{}\"", expected, replace_ill_formed(*text)));
}

// 64 bits; a negative one s is 2^64 + s, as PyTorch takes it.
ApiResult<bool> read_seed(const Target& target, std::uint64_t& seed) {
  constexpr const char* kExpected = "a whole number of 64 bits";
  const std::string* text = target.parameter("seed");
  if (text == nullptr || !text->starts_with('-')) return read(target, "seed", kExpected, seed);
  std::int64_t negative = 0;
  CHORUS_TRY(bool is_there, read(target, "seed", kExpected, negative));
  seed = static_cast<std::uint64_t>(negative);
  return is_there;
}

ApiResult<void> read_rng(const std::string& name, SamplingParams& sampling) {
  Result<RandomStream> stream = parse_random_stream(name);
  if (!stream) return bad_field("rng", "expected torch-cpu, torch-cpu-mkl or torch-cuda");
  sampling.rng = stream.assume_value();
  return ok();
}

ApiResult<void> read_loop(const std::string& name, SamplingParams& sampling) {
  Result<SamplingLoop> loop = parse_sampling_loop(name);
  if (!loop) return bad_field("loop", "expected talk, nanogpt or transformers");
  sampling.loop = loop.assume_value();
  return ok();
}

ApiResult<void> read_past_block(const std::string& name, Request& base) {
  Result<PastBlock> past_block = parse_past_block(name);
  if (!past_block) return bad_field("past_block", "expected refuse or crop");
  base.past_block = past_block.assume_value();
  return ok();
}

ApiResult<void> check_sampling(const GenerateRequest& request) {
  if (request.max_length && *request.max_length < 1) {
    return bad_field("max_length",
                     fmt::format("expected at least 1, found {}", *request.max_length));
  }
  if (auto checked = check(request.base.sampling); !checked) {
    return to_api_error(checked.assume_error());
  }
  return ok();
}

}  // namespace

ApiResult<GenerateRequest> parse_generate(std::string_view prompt, const Target& target) {
  constexpr const char* kWhole = "a whole number of 32 bits";
  if (!is_well_formed(prompt)) return bad_field("prompt", "expected UTF-8");
  GenerateRequest request;
  request.prompt = std::string(prompt);
  SamplingParams& sampling = request.base.sampling;
  std::int32_t max_length = 0;
  CHORUS_TRY(bool has_length, read(target, "max_length", kWhole, max_length));
  if (has_length) request.max_length = max_length;
  CHORUS_TRY(read(target, "top_k", kWhole, sampling.top_k));
  CHORUS_TRY(read(target, "temperature", "a number", sampling.temperature));
  CHORUS_TRY(request.has_seed, read_seed(target, sampling.seed));
  if (const std::string* rng = target.parameter("rng")) {
    CHORUS_TRY(read_rng(*rng, sampling));
  }
  if (const std::string* loop = target.parameter("loop")) {
    CHORUS_TRY(read_loop(*loop, sampling));
  }
  if (const std::string* past_block = target.parameter("past_block")) {
    CHORUS_TRY(read_past_block(*past_block, request.base));
  }
  if (const std::string* model = target.parameter("model")) request.model = *model;
  if (const std::string* salt = target.parameter("cache_salt")) request.cache_salt = *salt;
  CHORUS_TRY(check_sampling(request));
  return request;
}

ApiResult<GenerateRequest> parse_generate_body(std::string_view body) {
  CHORUS_TRY(boost::json::object object, parse_body(body));
  JsonFields fields(object);
  GenerateRequest request;
  SamplingParams& sampling = request.base.sampling;
  std::string rng = random_stream_name(sampling.rng);
  std::string loop = sampling_loop_name(*sampling.loop);
  std::string past_block = past_block_name(request.base.past_block);
  fields.read("model", request.model);
  fields.read("cache_salt", request.cache_salt);
  fields.read("prompt", request.prompt);
  fields.read("prompt_ids", request.prompt_ids);
  if (fields.has("prompt") == fields.has("prompt_ids")) {
    fields.refuse("prompt", "either prompt or prompt_ids");
  }
  fields.read("special", request.special);
  fields.read("max_length", request.max_length, 1, std::numeric_limits<std::int32_t>::max());
  fields.read("top_k", sampling.top_k, 0);
  fields.read("temperature", sampling.temperature);
  fields.read("seed", sampling.seed);
  request.has_seed = fields.has("seed");
  fields.read("rng", rng);
  fields.read("loop", loop);
  fields.read("past_block", past_block);
  if (auto error = fields.error()) return *error;
  CHORUS_TRY(read_rng(rng, sampling));
  CHORUS_TRY(read_loop(loop, sampling));
  CHORUS_TRY(read_past_block(past_block, request.base));
  CHORUS_TRY(check_sampling(request));
  return request;
}

ApiResult<Request> to_engine_request(GenerateRequest& request, const Engine& engine) {
  LongestText longest(request.base.past_block, engine.info().block_size);
  Request result = request.base;
  result.prompt = request.prompt_ids;
  if (result.prompt.empty()) {
    CHORUS_TRY(result.prompt,
               prompt_ids(request.prompt, request.special, engine, request.base.past_block));
  } else {
    request.prompt = engine.decode(result.prompt);
  }
  auto length = static_cast<std::int64_t>(result.prompt.size());
  if (length > longest.tokens) {
    return bad_field("prompt", fmt::format("expected at most {} tokens ({}), found {}",
                                           longest.tokens, longest.why, length));
  }
  if (request.max_length && *request.max_length < length) {
    return bad_field("max_length", fmt::format("expected at least the prompt's {} tokens, found {}",
                                               length, *request.max_length));
  }
  std::int64_t wanted =
      request.max_length.value_or(std::max(kDefaultMaxLength, static_cast<std::int32_t>(length)));
  result.max_length = static_cast<std::int32_t>(std::min<std::int64_t>(wanted, longest.tokens));
  return result;
}

}  // namespace chorus::server

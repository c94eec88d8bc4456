#include "server/api/score_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <utility>

#include "json/text.h"
#include "json/value.h"
#include "server/api/completion_logprobs.h"
#include "server/api/request_body.h"

namespace chorus::server {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostTexts = 1024;

void read_texts(JsonFields& fields, ScoreTexts& request) {
  const json::value* field = fields.find("text");
  if (field == nullptr) return;
  const std::string expected = fmt::format("a string, or 1 to {} of them", kMostTexts);
  if (field->is_string()) {
    request.texts.emplace_back(field->get_string());
    return;
  }
  bool is_list =
      field->is_array() && !field->get_array().empty() && field->get_array().size() <= kMostTexts;
  if (!is_list) return fields.refuse("text", expected);
  for (const json::value& element : field->get_array()) {
    if (!element.is_string()) return fields.refuse("text", expected);
    request.texts.emplace_back(element.get_string());
  }
}

void read_ids(JsonFields& fields, ScoreTexts& request) {
  const json::value* field = fields.find("ids");
  if (field == nullptr) return;
  const std::string expected = fmt::format("an array of token ids, or 1 to {} of them", kMostTexts);
  std::vector<std::int32_t> ids;
  if (read_json(*field, ids) == nullptr && !ids.empty()) {
    request.ids.push_back(std::move(ids));
    return;
  }
  bool is_list =
      field->is_array() && !field->get_array().empty() && field->get_array().size() <= kMostTexts;
  if (!is_list) return fields.refuse("ids", expected);
  for (const json::value& element : field->get_array()) {
    if (read_json(element, ids) != nullptr || ids.empty()) return fields.refuse("ids", expected);
    request.ids.push_back(std::move(ids));
  }
}

}  // namespace

ApiResult<ScoreTexts> parse_score(std::string_view body) {
  CHORUS_TRY(json::object object, parse_body(body));
  JsonFields fields(object);
  ScoreTexts request;
  fields.read("model", request.model);
  fields.read("cache_salt", request.cache_salt);
  read_texts(fields, request);
  read_ids(fields, request);
  if (fields.has("text") == fields.has("ids")) fields.refuse("text", "either text or ids");
  fields.read("bos", request.bos);
  fields.read("special", request.special);
  fields.read("stride", request.stride, 1);
  if (auto error = fields.error()) return *error;
  return request;
}

ApiResult<std::vector<ScoreWindow>> score_windows(std::size_t tokens, std::int32_t stride,
                                                  std::int32_t block_size) {
  if (stride > block_size) {
    return bad_field("stride", fmt::format("expected at most {} (the model's block size), found {}",
                                           block_size, stride));
  }
  auto block = static_cast<std::size_t>(block_size);
  std::size_t step =
      stride == 0 ? std::max<std::size_t>(1, block / 2) : static_cast<std::size_t>(stride);
  std::vector<ScoreWindow> windows;
  std::size_t scored = 1;  // the first token never is
  for (std::size_t begin = 0; scored < tokens; begin = std::min(begin + step, scored - 1)) {
    std::size_t end = std::min(begin + block, tokens);
    windows.push_back({begin, end, scored});
    scored = end;
  }
  return windows;
}

Request to_engine_request(const ScoreWindow& window, const std::vector<std::int32_t>& sequence) {
  Request request;
  request.prompt.assign(sequence.begin() + static_cast<std::ptrdiff_t>(window.begin),
                        sequence.begin() + static_cast<std::ptrdiff_t>(window.end));
  request.max_length = static_cast<std::int32_t>(request.prompt.size());
  request.prompt_logprobs = 0;
  request.prompt_logprobs_from = window.from - window.begin;
  return request;
}

TextScore::TextScore(std::vector<std::int32_t> ids, std::optional<std::int32_t> bos)
    : offset_(bos ? 1 : 0) {
  if (bos) sequence_.push_back(*bos);
  sequence_.insert(sequence_.end(), ids.begin(), ids.end());
  logprobs_.assign(sequence_.size(), 0.0);
  contexts_.assign(sequence_.size(), 0);
}

void TextScore::add(const ScoreWindow& window, const std::vector<TokenInfo>& tokens) {
  for (std::size_t at = window.from; at < window.end; ++at) {
    logprobs_[at] = tokens[at - window.begin].logprob.value_or(0.0);
    contexts_[at] = static_cast<std::int32_t>(at - window.begin);
  }
}

std::string TextScore::to_json(const Engine& engine) const {
  std::string ids, tokens, logprobs, surprisals, contexts;
  double total = 0.0;
  std::size_t scored = 0;
  for (std::size_t i = offset_; i < sequence_.size(); ++i) {
    if (i > offset_) {
      for (std::string* column : {&ids, &tokens, &logprobs, &surprisals, &contexts}) *column += ',';
    }
    bool has_score = contexts_[i] > 0;
    ids += std::to_string(sequence_[i]);
    tokens += json_string(token_name(engine, sequence_[i]));
    logprobs += has_score ? json_number(logprobs_[i]) : "null";
    surprisals += has_score ? json_number(std::abs(logprobs_[i] / std::log(2.0))) : "null";
    contexts += std::to_string(contexts_[i]);
    if (!has_score) continue;
    total -= logprobs_[i];
    ++scored;
  }
  double loss = scored > 0 ? total / static_cast<double>(scored) : std::nan("");
  return fmt::format(
      R"({{"ids":[{}],"tokens":[{}],"logprobs":[{}],"surprisals":[{}],"contexts":[{}],)"
      R"("scored":{},"loss":{},"perplexity":{}}})",
      ids, tokens, logprobs, surprisals, contexts, scored, json_number(loss),
      json_number(std::exp(loss)));
}

}  // namespace chorus::server

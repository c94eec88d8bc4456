#include "server/api/score_request.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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
    if (!element.is_string()) {
      return fields.refuse_element("text", expected, request.texts.size(), element);
    }
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
    if (read_json(element, ids) != nullptr || ids.empty()) {
      return fields.refuse_element("ids", expected, request.ids.size(), element);
    }
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
  fields.read("words", request.form.words);
  fields.read("rank_and_entropy", request.form.rank_and_entropy);
  std::string boundary = word_boundary_name(request.form.boundary);
  fields.read("boundary", boundary);
  if (Result<WordBoundary> parsed = parse_word_boundary(boundary)) {
    request.form.boundary = parsed.assume_value();
  } else {
    fields.refuse("boundary", "corrected or leading");
  }
  request.ignored = fields.unknown();
  if (auto error = fields.error()) return *error;
  return request;
}

std::string score_json(const TextScore& text, const ScoreTexts& asked, const Engine& engine) {
  Score score = text.score();
  double loss = score.scored > 0 ? score.loss : std::nan("");
  return fmt::format(R"({{{}{},"scored":{},"loss":{},"perplexity":{}}})",
                     score_lists_json(engine, text.ids(), score),
                     score_details_json(engine, text.ids(), score, asked.form), score.scored,
                     json_number(loss), json_number(std::exp(loss)));
}

}  // namespace chorus::server

// POST /v1/score: texts in, the log-probability of every token out. A text longer than the model's
// block is read in windows, as Engine::score() does; here each window is a request of its own, so
// that texts are scored side by side and can be cancelled. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/engine.h"
#include "engine/score_json.h"
#include "server/api/api_error.h"

namespace chorus::server {

struct ScoreTexts {
  std::string model;               // empty: the first
  std::vector<std::string> texts;  // or
  std::vector<std::vector<std::int32_t>> ids;
  bool bos = false;      // put the model's own token in front of each
  bool special = false;  // the name of a special token in a text is the token
  std::int32_t stride = 0;
  ScoreForm form;
  std::string cache_salt;            // who gives another shares no cached keys and values
  std::vector<std::string> ignored;  // fields that nobody reads
};

// {"text": string | [string]} or {"ids": [id] | [[id]]}; bos, special, stride, words, boundary,
// rank_and_entropy and model.
// Errors: 400, naming the field.
ApiResult<ScoreTexts> parse_score(std::string_view body);

// What is answered of one text.
std::string score_json(const TextScore& text, const ScoreTexts& asked, const Engine& engine);

}  // namespace chorus::server

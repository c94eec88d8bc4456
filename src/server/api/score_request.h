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
#include "server/api/api_error.h"

namespace chorus::server {

struct ScoreTexts {
  std::string model;               // empty: the first
  std::vector<std::string> texts;  // or
  std::vector<std::vector<std::int32_t>> ids;
  bool bos = false;      // put the model's own token in front of each
  bool special = false;  // the name of a special token in a text is the token
  std::int32_t stride = 0;
  std::string cache_salt;  // who gives another shares no cached keys and values
};

// {"text": string | [string]} or {"ids": [id] | [[id]]}; bos, special, stride and model.
// Errors: 400, naming the field.
ApiResult<ScoreTexts> parse_score(std::string_view body);

// A window of a sequence of tokens: those from `from` on get their log-probability in it.
struct ScoreWindow {
  std::size_t begin, end;  // in the sequence
  std::size_t from;
};

// Windows of at most `block_size` tokens, `stride` apart (0: half the block size), such that every
// token but the first is scored in exactly one. Errors: 400, naming stride.
ApiResult<std::vector<ScoreWindow>> score_windows(std::size_t tokens, std::int32_t stride,
                                                  std::int32_t block_size);

// The request to the engine for a window of `sequence`.
Request to_engine_request(const ScoreWindow& window, const std::vector<std::int32_t>& sequence);

// The scores of one text.
class TextScore {
 public:
  // `bos` stands in front of the ids, if it is given.
  TextScore(std::vector<std::int32_t> ids, std::optional<std::int32_t> bos);

  const std::vector<std::int32_t>& sequence() const { return sequence_; }  // with bos
  void add(const ScoreWindow& window, const std::vector<TokenInfo>& tokens);
  std::string to_json(const Engine& engine) const;

 private:
  std::vector<std::int32_t> sequence_;
  std::size_t offset_;  // of the text's own tokens in it
  std::vector<double> logprobs_;
  std::vector<std::int32_t> contexts_;  // 0: not scored
};

}  // namespace chorus::server

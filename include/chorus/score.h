// The log-probability of every token of a text that may be longer than the model's block: what is
// asked and what comes back, and the plan by which it is computed. Engine::score() carries the plan
// out; who wants to wait for many texts at once submits its requests. Plain data: copies may cross
// threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "chorus/error.h"
#include "chorus/export.h"
#include "chorus/request.h"

namespace chorus {

struct ScoreRequest {
  std::vector<std::int32_t> ids;  // at least one
  bool bos = false;               // put Engine::bos() in front, so that the first id is scored too
  // Texts over the block size are read in windows that start this many tokens apart. 0: half the
  // block size.
  std::int32_t stride = 0;
  bool boundaries = false;  // for word_scores() in words.h: Score::boundaries
  bool rank_and_entropy = false;
  // With which others may end Engine::score(): an error, kUnavailable. May be empty.
  std::shared_ptr<Cancellation> cancellation = {};
};

struct Score {
  // For each id: the natural logarithm of its probability given those before it in its window, and
  // how many those were. An id with no context (the first, without bos) has context 0 and its
  // log-probability means nothing.
  std::vector<double> logprobs;
  std::vector<std::int32_t> contexts;
  // In front of each id and behind the last: the natural logarithm of the probability that the text
  // ends or a new word begins there (TokenInfo::boundary). The first means nothing without bos.
  // Empty unless asked for.
  std::vector<double> boundaries = {};
  // As TokenInfo has them, for each id; 0 for one without context. Empty unless asked for.
  std::vector<std::int32_t> ranks = {};
  std::vector<double> entropies = {};  // nats
  double loss = 0.0;                   // mean of -logprob over the scored ids
  std::size_t scored = 0;              // how many those are
};

// Tokens of a sequence that are read together: those from `from` on get their score.
struct ScoreWindow {
  std::size_t begin, end;  // in the sequence
  std::size_t from;
};

// The plan for one text, and its results as they come, in any order.
class CHORUS_EXPORT TextScore {
 public:
  // `bos` is the id that stands in front, if one does. `block_size` is the model's. Errors:
  // kInvalidArgument for no id at all and for a stride over the block size.
  static Result<TextScore> make(const ScoreRequest& request, std::optional<std::int32_t> bos,
                                std::int32_t block_size);

  // Every token but the first of the sequence is scored in exactly one.
  const std::vector<ScoreWindow>& windows() const { return windows_; }
  Request request(const ScoreWindow& window) const;
  // What the window's request has given for its prompt.
  void add(const ScoreWindow& window, std::span<const TokenInfo> tokens);

  std::span<const std::int32_t> ids() const;  // of the text
  // When all windows have been added.
  Score score() const;

 private:
  TextScore() = default;

  std::vector<std::int32_t> sequence_;  // with bos, and an id behind it for its boundary
  std::size_t offset_ = 0, count_ = 0;  // of the text's own ids in it
  bool boundaries_ = false, rank_and_entropy_ = false;
  std::vector<ScoreWindow> windows_;
  // By place in the sequence; those not asked for are empty.
  std::vector<double> logprobs_, word_ends_, entropies_;
  std::vector<std::int32_t> contexts_, ranks_;
};

}  // namespace chorus

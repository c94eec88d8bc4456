// Scores of texts as JSON, as the command line prints them and the server answers; each function gives
// fields of an object, without its braces. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "chorus/engine.h"
#include "chorus/words.h"

namespace chorus {

// What is told of a text beside its tokens' log-probabilities.
struct ScoreForm {
  bool words = false;
  WordBoundary boundary = WordBoundary::kCorrected;
  bool rank_and_entropy = false;  // of tokens

  bool needs_boundaries() const { return words && boundary == WordBoundary::kCorrected; }
};

// Nats as bits: the surprisal of a probability's natural logarithm, and with -entropy the entropy.
double bits(double logprob);

// "ids", "tokens" (by token_name()), "logprobs" (natural), "surprisals" (bits) and "contexts". What has
// no score is null.
std::string score_lists_json(const Engine& engine, std::span<const std::int32_t> ids,
                             const Score& score);

// What `form` asks for beside: "ranks" and "entropies" (bits), and "words":
// [{"word": text, "tokens": [first, end], "logprob": natural, "surprisal": bits}, ...]. Empty, or with a
// comma in front.
std::string score_details_json(const Engine& engine, std::span<const std::int32_t> ids,
                               const Score& score, const ScoreForm& form);

}  // namespace chorus

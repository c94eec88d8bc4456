// The probability of words, out of that of tokens. A word is what stands between white space, with its
// punctuation; the white space in front of it belongs to it, as it does to GPT-2's tokens. Pure
// functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"
#include "chorus/export.h"
#include "chorus/score.h"

namespace chorus {

class Engine;

// Where a word ends. GPT-2's tokens say it only by how the next one begins.
enum class WordBoundary {
  // "corrected": the word is there and has ended. Its tokens' probability, times that of an end
  // behind it, by that of the end in front of it, which belongs to the word before (Pimentel and
  // Meister 2024, "How to Compute the Probability of a Word"). The probabilities of all words that
  // may follow add up to 1.
  kCorrected,
  // "leading": its tokens' probability, with that of the white space in front.
  kLeading,
};

// The word for each, and back. Errors: kInvalidArgument, listing both.
CHORUS_EXPORT const char* word_boundary_name(WordBoundary boundary);
CHORUS_EXPORT Result<WordBoundary> parse_word_boundary(std::string_view name);

struct WordScore {
  std::string text;
  std::size_t begin = 0, end = 0;  // bytes of the tokens' joined text, without white space
  std::size_t first_token = 0, end_token = 0;  // [first, end) of the ids, with the white space's
  // The natural logarithm of its probability. Empty if one of its tokens has no score.
  std::optional<double> logprob = {};
};

// `score` is of the same ids and has boundaries if `boundary` is kCorrected. A token that is part of
// two words joins them. White space at the end of a text belongs to no word, and neither does a token that ends
// one (ModelInfo::eos): what stands behind it is the first word of a text.
CHORUS_EXPORT std::vector<WordScore> word_scores(const Engine& engine,
                                                 std::span<const std::int32_t> ids,
                                                 const Score& score, WordBoundary boundary);

}  // namespace chorus

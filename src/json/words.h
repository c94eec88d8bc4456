// Words' scores as JSON, as the command line prints them and the server answers. Pure functions.
#pragma once

#include <span>
#include <string>

#include "chorus/words.h"

namespace chorus {

// The surprisal of a probability's natural logarithm, in bits.
double bits(double logprob);

// [{"word": text, "tokens": [first, end], "logprob": natural, "surprisal": bits}, ...]; the last two
// are null for a word without a score.
std::string words_json(std::span<const WordScore> words);

}  // namespace chorus

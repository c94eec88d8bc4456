#include "json/words.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <vector>

#include "json/text.h"

namespace chorus {

double bits(double logprob) { return logprob == 0.0 ? 0.0 : -logprob / std::log(2.0); }

std::string words_json(std::span<const WordScore> words) {
  std::vector<std::string> entries;
  for (const WordScore& word : words) {
    std::optional<double> surprisal;
    if (word.logprob) surprisal = bits(*word.logprob);
    entries.push_back(fmt::format(R"({{"word":{},"tokens":[{},{}],"logprob":{},"surprisal":{}}})",
                                  json_string(word.text), word.first_token, word.end_token,
                                  json_number(word.logprob), json_number(surprisal)));
  }
  return json_array(entries);
}

}  // namespace chorus

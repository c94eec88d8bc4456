#include "engine/score_json.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <vector>

#include "json/text.h"

namespace chorus {
namespace {

// An array of value(i), a piece of JSON, or null where a token has no score.
template <class Value>
std::string scored_array(const Score& score, Value value) {
  std::vector<std::string> elements;
  for (std::size_t i = 0; i < score.contexts.size(); ++i) {
    elements.push_back(score.contexts[i] > 0 ? value(i) : "null");
  }
  return json_array(elements);
}

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

}  // namespace

double bits(double logprob) { return logprob == 0.0 ? 0.0 : -logprob / std::log(2.0); }

std::string score_lists_json(const Engine& engine, std::span<const std::int32_t> ids,
                             const Score& score) {
  std::vector<std::string> names;
  for (std::int32_t id : ids) names.push_back(json_string(token_name(engine.token_bytes(id))));
  return fmt::format(
      R"("ids":[{}],"tokens":{},"logprobs":{},"surprisals":{},"contexts":{})", fmt::join(ids, ","),
      json_array(names),
      scored_array(score, [&](auto i) { return json_number(score.logprobs[i]); }),
      scored_array(score, [&](auto i) { return json_number(bits(score.logprobs[i])); }),
      json_array(score.contexts));
}

std::string score_details_json(const Engine& engine, std::span<const std::int32_t> ids,
                               const Score& score, const ScoreForm& form) {
  std::string fields;
  if (form.rank_and_entropy) {
    fields += fmt::format(
        R"(,"ranks":{},"entropies":{})",
        scored_array(score, [&](auto i) { return std::to_string(score.ranks[i]); }),
        scored_array(score, [&](auto i) { return json_number(bits(-score.entropies[i])); }));
  }
  if (form.words) {
    fields += R"(,"words":)" + words_json(word_scores(engine, ids, score, form.boundary));
  }
  return fields;
}

}  // namespace chorus

#include "cli/score_output.h"

#include <fmt/format.h>

#include <cmath>
#include <span>

#include "json/text.h"
#include "json/words.h"

namespace chorus::cli {
namespace {

const double kBit = std::log(2.0);  // in nats

bool has_context(const Score& score, std::size_t i) { return score.contexts[i] > 0; }

std::string number_or(const char* nothing, bool is_there, double value) {
  return is_there && std::isfinite(value) ? json_number(value) : nothing;
}

std::vector<WordScore> words_of(const ScoredText& text, const ScoreForm& form,
                                const Engine& engine) {
  return word_scores(engine, text.ids, text.score, form.boundary);
}

// How white space shows: as JSON writes it.
std::string table_row(const std::string& name, bool is_there, double logprob) {
  if (!is_there) return fmt::format("{:<20} {:>12} {:>10}", json_string(name), "-", "-");
  return fmt::format("{:<20} {:>12.6g} {:>10.4f}", json_string(name), std::exp(logprob),
                     bits(logprob));
}

std::string summary(const Score& score) {
  if (score.scored == 0) return {};
  return fmt::format("{} tokens scored, loss {:.6f} nats, perplexity {:.4f}\n", score.scored,
                     score.loss, std::exp(score.loss));
}

std::string word_table(const ScoredText& text, const ScoreForm& form, const Engine& engine) {
  std::string table =
      fmt::format("{:<20} {:>12} {:>10} {:>8}\n", "word", "probability", "bits", "tokens");
  for (const WordScore& word : words_of(text, form, engine)) {
    table += fmt::format("{} {:>8}\n",
                         table_row(word.text, word.logprob.has_value(), word.logprob.value_or(0.0)),
                         word.end_token - word.first_token);
  }
  return table + summary(text.score);
}

}  // namespace

std::string score_fields(const ScoredText& text, const ScoreForm& form, const Engine& engine) {
  const Score& score = text.score;
  std::vector<std::string> tokens, logprobs, surprisals;
  for (std::size_t i = 0; i < text.ids.size(); ++i) {
    bool is_there = has_context(score, i);
    tokens.push_back(json_string(token_name(engine.token_bytes(text.ids[i]))));
    logprobs.push_back(number_or("null", is_there, score.logprobs[i]));
    surprisals.push_back(number_or("null", is_there, bits(score.logprobs[i])));
  }
  bool any = score.scored > 0;
  std::string fields =
      fmt::format(R"("ids":{},"tokens":{},"logprobs":{},"surprisals":{},"contexts":{},"loss":{},)"
                  R"("perplexity":{})",
                  json_array(text.ids), json_array(tokens), json_array(logprobs),
                  json_array(surprisals), json_array(score.contexts),
                  number_or("null", any, score.loss), number_or("null", any, std::exp(score.loss)));
  if (form.rank_and_entropy) {
    std::vector<std::string> ranks, entropies;
    for (std::size_t i = 0; i < text.ids.size(); ++i) {
      bool is_there = has_context(score, i);
      ranks.push_back(is_there ? std::to_string(score.ranks[i]) : "null");
      entropies.push_back(number_or("null", is_there, score.entropies[i] / kBit));
    }
    fields +=
        fmt::format(R"(,"ranks":{},"entropies":{})", json_array(ranks), json_array(entropies));
  }
  if (form.words) fields += R"(,"words":)" + words_json(words_of(text, form, engine));
  return fields;
}

// A line a token: its text, probability, surprisal, and how many tokens it was given.
std::string score_table(const ScoredText& text, const ScoreForm& form, const Engine& engine) {
  if (form.words) return word_table(text, form, engine);
  std::string table = fmt::format("{:>7}  {:<20} {:>12} {:>10} {:>8}", "id", "token", "probability",
                                  "bits", "context");
  if (form.rank_and_entropy) table += fmt::format(" {:>7} {:>8}", "rank", "entropy");
  table += '\n';
  for (std::size_t i = 0; i < text.ids.size(); ++i) {
    std::string name = engine.decode(std::span(&text.ids[i], 1));
    bool is_there = has_context(text.score, i);
    table += fmt::format("{:>7}  {} {:>8}", text.ids[i],
                         table_row(name, is_there, text.score.logprobs[i]), text.score.contexts[i]);
    if (form.rank_and_entropy && is_there) {
      table += fmt::format(" {:>7} {:>8.4f}", text.score.ranks[i], text.score.entropies[i] / kBit);
    } else if (form.rank_and_entropy) {
      table += fmt::format(" {:>7} {:>8}", "-", "-");
    }
    table += '\n';
  }
  return table + summary(text.score);
}

CsvRow score_columns(const ScoreForm& form) {
  if (form.words) return {"position", "word", "tokens", "surprisal"};
  CsvRow columns = {"position", "token", "id", "context", "surprisal"};
  if (form.rank_and_entropy) columns.insert(columns.end(), {"rank", "entropy"});
  return columns;
}

std::vector<CsvRow> score_rows(const ScoredText& text, const ScoreForm& form,
                               const Engine& engine) {
  std::vector<CsvRow> rows;
  auto position = [&rows] { return std::to_string(rows.size() + 1); };
  if (form.words) {
    for (const WordScore& word : words_of(text, form, engine)) {
      rows.push_back({position(), word.text, std::to_string(word.end_token - word.first_token),
                      number_or("", word.logprob.has_value(), bits(word.logprob.value_or(0.0)))});
    }
    return rows;
  }
  for (std::size_t i = 0; i < text.ids.size(); ++i) {
    rows.push_back({position(), token_name(engine.token_bytes(text.ids[i])),
                    std::to_string(text.ids[i]), std::to_string(text.score.contexts[i]),
                    number_or("", has_context(text.score, i), bits(text.score.logprobs[i]))});
    if (!form.rank_and_entropy) continue;
    bool is_there = has_context(text.score, i);
    rows.back().push_back(is_there ? std::to_string(text.score.ranks[i]) : "");
    rows.back().push_back(number_or("", is_there, text.score.entropies[i] / kBit));
  }
  return rows;
}

}  // namespace chorus::cli

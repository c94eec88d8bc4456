#include "cli/score_output.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <optional>
#include <span>

#include "json/text.h"

namespace chorus::cli {
namespace {

bool has_context(const Score& score, std::size_t i) { return score.contexts[i] > 0; }

// Empty where there is no number.
std::string csv_number(bool is_there, double value) {
  return is_there && std::isfinite(value) ? json_number(value) : "";
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
  std::optional<double> loss, perplexity;
  if (text.score.scored > 0) {
    loss = text.score.loss;
    perplexity = std::exp(text.score.loss);
  }
  return fmt::format(R"({},"loss":{},"perplexity":{}{})",
                     score_lists_json(engine, text.ids, text.score), json_number(loss),
                     json_number(perplexity),
                     score_details_json(engine, text.ids, text.score, form));
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
      table += fmt::format(" {:>7} {:>8.4f}", text.score.ranks[i], bits(-text.score.entropies[i]));
    } else if (form.rank_and_entropy) {
      table += fmt::format(" {:>7} {:>8}", "-", "-");
    }
    table += '\n';
  }
  return table + summary(text.score);
}

void print_windows(const std::string& place, const ScoredText& text, const Engine& engine) {
  const std::vector<std::int32_t>& contexts = text.score.contexts;
  if (contexts.empty()) return;
  auto all = static_cast<std::size_t>(contexts.front()) + contexts.size() - 1;
  if (static_cast<std::size_t>(contexts.back()) == all) return;
  fmt::print(stderr,
             "chorus: note: {}: {} tokens are more than the model's block of {}: read in windows "
             "(--stride)\n",
             place, contexts.size(), engine.info().block_size);
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
                      csv_number(word.logprob.has_value(), bits(word.logprob.value_or(0.0)))});
    }
    return rows;
  }
  for (std::size_t i = 0; i < text.ids.size(); ++i) {
    rows.push_back({position(), token_name(engine.token_bytes(text.ids[i])),
                    std::to_string(text.ids[i]), std::to_string(text.score.contexts[i]),
                    csv_number(has_context(text.score, i), bits(text.score.logprobs[i]))});
    if (!form.rank_and_entropy) continue;
    bool is_there = has_context(text.score, i);
    rows.back().push_back(is_there ? std::to_string(text.score.ranks[i]) : "");
    rows.back().push_back(csv_number(is_there, bits(-text.score.entropies[i])));
  }
  return rows;
}

}  // namespace chorus::cli

// What `chorus score` prints of a text: a table, a JSON object, or rows of a table that has other
// columns beside. Pure functions but print_windows().
#pragma once

#include <string>
#include <vector>

#include "chorus/engine.h"
#include "cli/csv.h"
#include "engine/score_json.h"

namespace chorus::cli {

struct ScoredText {
  std::vector<std::int32_t> ids;
  Score score;
};

// The fields of the object, without its braces.
std::string score_fields(const ScoredText& text, const ScoreForm& form, const Engine& engine);

std::string score_table(const ScoredText& text, const ScoreForm& form, const Engine& engine);

// Says on standard error that a text did not fit the model's block and was read in windows, if so: not every
// token had all that stands before it. From any thread.
void print_windows(const std::string& place, const ScoredText& text, const Engine& engine);

// The names of the columns, and a row for each word or token: an empty field for one without a score.
CsvRow score_columns(const ScoreForm& form);
std::vector<CsvRow> score_rows(const ScoredText& text, const ScoreForm& form, const Engine& engine);

}  // namespace chorus::cli

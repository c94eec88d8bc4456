// `chorus score` of many texts that stand in a table or on lines: a row out for each word or token,
// with the other columns of its text beside it. Single-threaded.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "cli/score_output.h"

namespace chorus::cli {

struct TextTable {
  std::string name;  // for messages
  std::string text;
  char separator = ',';
  std::string column;  // that holds the texts
};

// From any thread. Throws CommandFailed.
using ScoreText = std::function<ScoredText(const std::string& text)>;

// Reads a table whose first row names its columns, and writes one with its separator: `row` (the
// text's, from 1), the other columns, and score_columns(). A text that cannot be scored (an empty one, R's
// NA) is named on standard error, and the others go on. Throws CommandFailed for what is no such table, and at the
// end if a text failed.
void score_csv(const TextTable& table, const ScoreForm& form, const Engine& engine,
               std::size_t parallel, const ScoreText& score);

// The same for lines of text, which end in LF, CR LF or CR: the only other column is `line`, from 1. Lines of
// white space alone are passed over.
void score_lines(const std::string& name, std::string_view text, const ScoreForm& form,
                 const Engine& engine, std::size_t parallel, const ScoreText& score);

}  // namespace chorus::cli

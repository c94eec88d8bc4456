#include "cli/score_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include "cli/commands.h"
#include "cli/in_order.h"
#include "cli/model_source.h"
#include "cli/output.h"
#include "core/error_text.h"
#include "core/printable.h"
#include "core/utf8.h"
#include "engine/score_text.h"

namespace chorus::cli {
namespace {

// What is written: a row's first columns stand in front of each of its words or tokens.
class RowWriter {
 public:
  RowWriter(const ScoreForm& form, const Engine& engine, char separator, ScoreText score)
      : form_(form), engine_(engine), separator_(separator), score_(std::move(score)) {}

  // `wrong`: why there is no text, if there is none.
  Work work(std::string place, CsvRow carried, std::string text, std::string wrong = {}) const {
    auto answer = [this, place, carried = std::move(carried), text = std::move(text),
                   wrong = std::move(wrong)] {
      if (!wrong.empty()) throw CommandFailed(wrong);
      if (is_blank(text)) throw CommandFailed("the text is empty");
      ScoredText scored = score_(text);
      print_windows(place, scored, engine_);
      Answer made{.text = {}, .tokens = scored.score.scored};
      for (const CsvRow& row : score_rows(scored, form_, engine_)) {
        CsvRow whole = carried;
        whole.insert(whole.end(), row.begin(), row.end());
        append_csv_row(made.text, whole, separator_);
      }
      return made;
    };
    auto refusal = [place = std::move(place)](const char* message) {
      fmt::print(stderr, "chorus: {}: {}\n", place, message);
      return std::string();
    };
    return {std::move(answer), std::move(refusal)};
  }

  std::string header(CsvRow carried) const {
    for (std::string name : score_columns(form_)) carried.push_back(free_name(carried, name));
    std::string line;
    append_csv_row(line, carried, separator_);
    return line;
  }

  // A column that the table has already keeps its name, and the new one gets another.
  static std::string free_name(const CsvRow& taken, std::string name) {
    while (std::find(taken.begin(), taken.end(), name) != taken.end()) name = "chorus_" + name;
    return name;
  }

 private:
  const ScoreForm& form_;
  const Engine& engine_;
  char separator_;
  ScoreText score_;
};

// A name as its table has it, if it has letters that are none of ASCII's.
std::string name_shown(const std::string& name) {
  bool is_plain =
      name.size() < 120 && is_well_formed(name) &&
      std::ranges::none_of(name, [](char c) { return (c >= '\0' && c < ' ') || c == '\x7f'; });
  return is_plain ? "'" + name + "'" : in_quotes(name);
}

std::string listed(const CsvRow& names) {
  constexpr std::size_t kMost = 30;
  std::vector<std::string> quoted;
  for (const std::string& name : names) {
    if (quoted.size() == kMost) break;
    quoted.push_back(name_shown(name));
  }
  std::size_t others = names.size() - quoted.size();
  return fmt::format("{}{}", fmt::join(quoted, ", "),
                     others > 0 ? fmt::format(" and {} more", others) : "");
}

// For a table whose columns are separated by something else.
std::string separator_hint(const CsvRow& names) {
  if (names.size() > 1) return {};
  if (names[0].find('\t') != std::string::npos) return "; --tsv reads tabs between columns";
  for (char other : std::string_view(";|,")) {
    if (names[0].find(other) == std::string::npos) continue;
    return fmt::format("; --separator '{}' reads that between columns", other);
  }
  return {};
}

std::size_t column_of(const CsvRow& names, const TextTable& table) {
  auto found = std::find(names.begin(), names.end(), table.column);
  if (found == names.end()) {
    throw CommandFailed(fmt::format("{}: expected a column {} (--column), found {}{}", table.name,
                                    name_shown(table.column), listed(names),
                                    separator_hint(names)));
  }
  if (std::find(found + 1, names.end(), table.column) != names.end()) {
    throw CommandFailed(
        fmt::format("{}: two columns are called {}", table.name, name_shown(table.column)));
  }
  return static_cast<std::size_t>(found - names.begin());
}

CsvRow without(CsvRow row, std::size_t column) {
  row.erase(row.begin() + static_cast<std::ptrdiff_t>(column));
  return row;
}

}  // namespace

void score_csv(const TextTable& table, const ScoreForm& form, const Engine& engine,
               std::size_t parallel, const ScoreText& score) {
  CsvReader reader(table.text, table.separator);
  auto read = [&] { return value_or_fail(in_place(reader.next(), table.name)); };
  std::optional<CsvRow> names = read();
  if (!names) throw CommandFailed(table.name + ": expected a table, found nothing");
  const std::size_t column = column_of(*names, table);
  RowWriter writer(form, engine, table.separator, score);
  CsvRow carried = without(*names, column);
  carried.insert(carried.begin(), RowWriter::free_name(carried, "row"));
  write_output(writer.header(std::move(carried)));
  std::size_t count = 0;
  answer_in_order(parallel, "see above", [&]() -> std::optional<Work> {
    std::optional<CsvRow> row = read();
    if (!row) return std::nullopt;
    std::string place = fmt::format("{}: row {} (line {})", table.name, ++count, reader.line());
    if (row->size() != names->size()) {  // which field is the text nobody knows
      return writer.work(
          std::move(place), {}, {},
          fmt::format("expected {} fields, found {} (a field with the separator in it "
                      "stands in quotation marks)",
                      names->size(), row->size()));
    }
    std::string text = (*row)[column];
    std::string wrong;
    // As R writes what is missing; a text that is so has quotation marks there.
    if (text == "NA" && !reader.is_quoted(column)) {
      wrong = "the text is NA, a missing value as R writes it (in quotation marks it is a text)";
    }
    CsvRow others = without(std::move(*row), column);
    others.insert(others.begin(), std::to_string(count));
    return writer.work(std::move(place), std::move(others), std::move(text), std::move(wrong));
  });
}

void score_lines(const std::string& name, std::string_view text, const ScoreForm& form,
                 const Engine& engine, std::size_t parallel, const ScoreText& score) {
  RowWriter writer(form, engine, ',', score);
  write_output(writer.header({"line"}));
  std::size_t number = 0;
  answer_in_order(parallel, "see above", [&]() -> std::optional<Work> {
    while (!text.empty()) {
      std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
      std::string_view line = text.substr(0, end);
      std::size_t behind = end + (text.substr(end).starts_with("\r\n") ? 2 : 1);
      text.remove_prefix(std::min(behind, text.size()));
      ++number;
      if (is_blank(line)) continue;
      return writer.work(fmt::format("{}: line {}", name, number), {std::to_string(number)},
                         std::string(line));
    }
    return std::nullopt;
  });
}

}  // namespace chorus::cli

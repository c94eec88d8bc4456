// Tables of fields between separators, as RFC 4180 and spreadsheets have them: a field that holds a
// separator, a quotation mark or a line's end stands between quotation marks, which are doubled in
// it. Lines end in LF, CR LF or CR; a byte order mark at the begin of one is no part of it (files that were
// joined have several). Pure functions and a reader; one thread at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"

namespace chorus::cli {

using CsvRow = std::vector<std::string>;

class CsvReader {
 public:
  // `text` must outlive the reader.
  CsvReader(std::string_view text, char separator) : text_(text), separator_(separator) {}

  // The next row; empty at the end. Empty lines are passed over. Errors: kInvalidArgument, with the
  // line, for a quotation mark that is not closed or stands where none may.
  Result<std::optional<CsvRow>> next();

  // Whether a field of the last row stood between quotation marks.
  bool is_quoted(std::size_t field) const { return quoted_[field]; }
  std::size_t line() const { return row_line_; }  // on which the last row begins, from 1

 private:
  Result<std::string> quoted_field();
  std::string plain_field();
  bool at_line_end() const;
  void pass_line_end();

  std::string_view text_;
  char separator_;
  std::vector<bool> quoted_;
  std::size_t at_ = 0, line_ = 1, row_line_ = 1;
};

// With a line's end.
void append_csv_row(std::string& out, const CsvRow& row, char separator);

}  // namespace chorus::cli

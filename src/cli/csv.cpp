#include "cli/csv.h"

#include <fmt/format.h>

#include "core/text_encoding.h"

namespace chorus::cli {
namespace {

Error on_line(std::size_t line, const char* message) {
  return {ErrorCode::kInvalidArgument, fmt::format("line {}: {}", line, message)};
}

}  // namespace

bool CsvReader::at_line_end() const {
  return at_ == text_.size() || text_[at_] == '\n' || text_[at_] == '\r';
}

void CsvReader::pass_line_end() {
  if (at_ == text_.size()) return;
  at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
  ++line_;
}

Result<std::string> CsvReader::quoted_field() {
  const std::size_t begin_line = line_;
  std::string field;
  for (++at_; at_ < text_.size(); ++at_) {
    char c = text_[at_];
    if (c == '"') {
      ++at_;
      if (at_ == text_.size() || text_[at_] != '"') {
        if (at_line_end() || text_[at_] == separator_) return field;
        return on_line(line_,
                       "expected a separator behind a closing quotation mark (one inside a "
                       "field is written twice)");
      }
    }
    bool ends_line = c == '\n' || (c == '\r' && !text_.substr(at_).starts_with("\r\n"));
    if (ends_line) ++line_;
    field += c;
  }
  return on_line(begin_line, "a quotation mark is not closed");
}

std::string CsvReader::plain_field() {
  std::size_t begin = at_;
  while (!at_line_end() && text_[at_] != separator_) ++at_;
  return std::string(text_.substr(begin, at_ - begin));
}

Result<std::optional<CsvRow>> CsvReader::next() {
  while (true) {
    at_ = text_.size() - without_marks(text_.substr(at_)).size();
    if (at_ == text_.size() || !at_line_end()) break;
    pass_line_end();
  }
  row_line_ = line_;
  if (at_ == text_.size()) return std::optional<CsvRow>();
  CsvRow row;
  quoted_.clear();
  while (true) {
    quoted_.push_back(at_ < text_.size() && text_[at_] == '"');
    if (quoted_.back()) {
      CHORUS_TRY(std::string field, quoted_field());
      row.push_back(std::move(field));
    } else {
      row.push_back(plain_field());
    }
    if (at_line_end()) break;
    ++at_;  // the separator
  }
  pass_line_end();
  return std::optional(std::move(row));
}

void append_csv_row(std::string& out, const CsvRow& row, char separator) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i > 0) out += separator;
    const std::string& field = row[i];
    bool is_plain = field.find_first_of("\"\r\n") == std::string::npos &&
                    field.find(separator) == std::string::npos &&
                    !(row.size() == 1 && field.empty());
    if (is_plain) {
      out += field;
      continue;
    }
    out += '"';
    for (char c : field) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }
  out += '\n';
}

}  // namespace chorus::cli

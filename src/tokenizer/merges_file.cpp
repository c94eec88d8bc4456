#include "tokenizer/merges_file.h"

#include <fmt/format.h>

#include <algorithm>

namespace chorus::tokenizer {
namespace {

constexpr std::string_view kVersion = "#version";

}  // namespace

bool has_version_line(const Bytes& file) { return file.text().starts_with(kVersion); }

MergeTexts split_merge(std::string_view line) {
  std::size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos || space + 1 == line.size()) return {};
  std::string_view right = line.substr(space + 1);
  if (right.find(' ') != std::string_view::npos) return {};
  return {line.substr(0, space), right};
}

Result<std::vector<MergeTexts>> parse_merges(const Bytes& file) {
  std::string_view text = file.text();
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  std::vector<MergeTexts> merges;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::size_t length = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1 && line.starts_with(kVersion)) continue;
    MergeTexts merge = split_merge(line);
    if (merge.left.empty()) {
      return Error{ErrorCode::kCorrupt,
                   fmt::format("{}: line {}: expected two tokens with one space between", file.name,
                               number)};
    }
    merges.push_back(merge);
  }
  return merges;
}

}  // namespace chorus::tokenizer

#include "cli/nearest_name.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace chorus::cli {
namespace {

constexpr std::size_t kLongest = 64;  // no name is longer, and the time is quadratic

std::string plain(std::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return result;
}

// The optimal string alignment distance. Both are at most kLongest long.
std::size_t distance(const std::string& a, const std::string& b) {
  std::array<std::array<std::size_t, kLongest + 1>, 3> rows;  // the last two and this one
  auto row = [&rows](std::size_t i) -> auto& { return rows[i % 3]; };
  for (std::size_t j = 0; j <= b.size(); ++j) row(0)[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row(i)[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t changed = row(i - 1)[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row(i)[j] = std::min({row(i - 1)[j] + 1, row(i)[j - 1] + 1, changed});
      bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (exchanged) row(i)[j] = std::min(row(i)[j], row(i - 2)[j - 2] + 1);
    }
  }
  return row(a.size())[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view misspelt, const std::vector<std::string>& known) {
  if (misspelt.size() > kLongest) return {};
  std::string meant = plain(misspelt), nearest;
  std::size_t least = std::max<std::size_t>(2, meant.size() / 4) + 1;
  for (const std::string& name : known) {
    if (name.size() > kLongest) continue;
    std::size_t apart = distance(meant, plain(name));
    if (apart >= least || apart >= name.size()) continue;
    least = apart;
    nearest = name;
  }
  return nearest;
}

}  // namespace chorus::cli

#include "cli/input.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <system_error>

#include "core/system_error.h"

namespace chorus::cli {
namespace {

constexpr std::string_view kSeparators = ", \t\r\n";

Result<std::string> read_to_end(std::FILE* file, const std::string& name) {
  std::string text;
  std::array<char, 1 << 16> buffer;
  while (std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file)) {
    text.append(buffer.data(), count);
  }
  if (std::ferror(file) != 0) return system_error(name, errno);
  return text;
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  if (path == "-") return read_to_end(stdin, "standard input");
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (file == nullptr) return system_error(path, errno);
  return read_to_end(file.get(), path);
}

Result<std::vector<std::int32_t>> parse_ids(std::string_view text) {
  std::vector<std::int32_t> ids;
  std::size_t begin = 0;
  while ((begin = text.find_first_not_of(kSeparators, begin)) != std::string_view::npos) {
    std::size_t end = std::min(text.find_first_of(kSeparators, begin), text.size());
    std::string_view word = text.substr(begin, end - begin);
    std::int32_t id = 0;
    auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || stop != word.data() + word.size()) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("\"{}\" is not an id: expected whole numbers of 32 bits, separated "
                               "by commas or spaces",
                               word)};
    }
    ids.push_back(id);
    begin = end;
  }
  return ids;
}

}  // namespace chorus::cli

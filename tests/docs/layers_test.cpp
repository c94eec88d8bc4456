// The folders of src/ stand on each other as the tables of docs/architecture.md say: no file includes
// one of a folder that stands below its own, nor what the second table forbids its room.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace chorus {
namespace {

namespace fs = std::filesystem;

struct Include {
  std::string from;  // "engine/loop.cpp"
  std::string of;    // "model/model.h"
};

// What `pattern` finds in the lines of a file, as its first two groups.
std::vector<std::pair<std::string, std::string>> find_in_lines(const fs::path& path,
                                                               const std::regex& pattern) {
  std::vector<std::pair<std::string, std::string>> found;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (std::regex_search(line, match, pattern)) found.emplace_back(match[1], match[2]);
  }
  return found;
}

// The includes that name a folder; <vector> and its like have none.
std::vector<Include> includes_under(const fs::path& root) {
  static const std::regex include(R"re(^\s*#\s*include\s*[<"]([\w/.]+/)([\w.]+)[>"])re");
  std::vector<Include> found;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    for (const auto& [folder, name] : find_in_lines(entry.path(), include)) {
      // The engine's own part of the public interface counts as the engine's.
      bool engine = folder == "chorus/" && (name == "engine.h" || name == "stream.h");
      found.push_back(
          {fs::relative(entry.path(), root).string(), (engine ? "engine/" : folder) + name});
    }
  }
  return found;
}

// Rows of the tables: "| `engine/` | ... |" of one folder, "| `server/http/` | `server/api/` ... |"
// of one room.
class Layers : public ::testing::Test {
 protected:
  const fs::path root_ = CHORUS_SOURCE_DIR;
  const fs::path page_ = root_ / "docs/architecture.md";
};

TEST_F(Layers, AFolderIncludesOnlyWhatStandsAboveItInTheTable) {
  std::vector<std::string> order;
  for (const auto& row : find_in_lines(page_, std::regex(R"(^\| `(\w+)/` \|()(?!.*`\w+/\w+/`))"))) {
    order.push_back(row.first);
  }
  auto place = [&](const std::string& path) {
    std::string folder = path.substr(0, path.find('/'));
    return std::find(order.begin(), order.end(), folder) - order.begin();
  };
  const auto nowhere = std::ssize(order);
  for (const auto& entry : fs::directory_iterator(root_ / "src")) {
    if (!entry.is_directory()) continue;
    EXPECT_NE(place(entry.path().filename()), nowhere)
        << entry.path() << " has no row in " << page_;
  }
  int compared = 0;
  for (const Include& include : includes_under(root_ / "src")) {
    auto from = place(include.from);
    auto of = place(include.of);
    if (of == nowhere) continue;  // another project's, or plain data of include/chorus
    ++compared;
    EXPECT_LE(of, from) << "src/" << include.from << " includes " << include.of
                        << ", which stands below it in docs/architecture.md";
  }
  EXPECT_GT(compared, 300);
}

TEST_F(Layers, ARoomIncludesNothingOfWhatTheTableForbidsIt) {
  const std::regex row(R"(^\| `(\w+/\w+/)` \| (.*) \|)"), forbidden(R"(`([\w/]+/)`)");
  auto rows = find_in_lines(page_, row);
  EXPECT_GE(rows.size(), 2u);
  auto includes = includes_under(root_ / "src");
  for (const auto& [room, cell] : rows) {
    ASSERT_TRUE(fs::is_directory(root_ / "src" / room)) << room;
    for (std::sregex_iterator other(cell.begin(), cell.end(), forbidden), end; other != end;
         ++other) {
      std::string prefix = (*other)[1];
      ASSERT_TRUE(fs::is_directory(root_ / "src" / prefix)) << prefix;
      for (const Include& include : includes) {
        bool found = include.from.starts_with(room) && include.of.starts_with(prefix) &&
                     !include.of.starts_with(room);
        EXPECT_FALSE(found) << "src/" << include.from << " includes " << include.of
                            << ", which docs/architecture.md forbids";
      }
    }
  }
}

TEST_F(Layers, ThePublicHeadersIncludeOnlyEachOtherAndTheStandardLibrary) {
  const std::regex include(R"re(^\s*#\s*include\s*([<"])([\w/.]+)[>"])re");
  int found = 0;
  for (const auto& entry : fs::directory_iterator(root_ / "include/chorus")) {
    for (const auto& [quote, name] : find_in_lines(entry.path(), include)) {
      ++found;
      // The standard library's have neither a folder nor an ending.
      bool standard = quote == "<" && name.find_first_of("/.") == std::string::npos;
      EXPECT_TRUE(standard || fs::exists(root_ / "include" / name)) << entry.path() << ": " << name;
    }
  }
  EXPECT_GT(found, 10);
}

}  // namespace
}  // namespace chorus

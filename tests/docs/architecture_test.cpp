// The documents name real places: every `src/FILE:FUNCTION` and every `src/...` path in them
// exists.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace chorus {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Documents, EveryPlaceTheyNameExists) {
  std::filesystem::path root = CHORUS_SOURCE_DIR;
  const std::regex place(
      R"(`((?:src|tests|include|fuzz|bench|scripts|docs)/[\w/.]+?)(?::(\w+))?`)");
  int found = 0;
  for (const auto& document : std::filesystem::directory_iterator(root / "docs")) {
    if (document.path().extension() != ".md") continue;
    std::string text = read(document.path());
    for (std::sregex_iterator match(text.begin(), text.end(), place), end; match != end; ++match) {
      ++found;
      std::filesystem::path file = root / (*match)[1].str();
      EXPECT_TRUE(std::filesystem::exists(file)) << document.path() << " names " << *match->begin();
      std::string function = (*match)[2];
      if (function.empty()) continue;
      EXPECT_TRUE(std::regex_search(read(file), std::regex("\\b" + function + "\\(")))
          << document.path() << ": no function " << function << " in " << file;
    }
  }
  EXPECT_GT(found, 20);
}

}  // namespace
}  // namespace chorus

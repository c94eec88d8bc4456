// server/http/ knows nothing of what is asked: neither the API nor the engine nor the server around
// it. Whoever answers is given to it.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace chorus::server {
namespace {

TEST(HttpLayer, IncludesNothingOfTheApiOrTheEngine) {
  std::filesystem::path folder = std::filesystem::path(CHORUS_SOURCE_DIR) / "src/server/http";
  int includes = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ifstream text(file.path());
    for (std::string line; std::getline(text, line);) {
      constexpr std::string_view kInclude = "#include \"";
      if (!line.starts_with(kInclude)) continue;
      ++includes;
      std::string name = line.substr(kInclude.size(), line.size() - kInclude.size() - 1);
      bool is_allowed =
          name.starts_with("server/http/") || name.starts_with("core/") || name == "chorus/error.h";
      EXPECT_TRUE(is_allowed) << file.path() << " includes " << name;
    }
  }
  EXPECT_GT(includes, 20);
}

}  // namespace
}  // namespace chorus::server

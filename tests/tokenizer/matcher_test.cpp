#include "tokenizer/matcher.h"

#include <gtest/gtest.h>

#include <ctime>
#include <random>
#include <string>
#include <vector>

namespace chorus::tokenizer {
namespace {

using Found = std::vector<std::pair<std::size_t, std::size_t>>;

Found find(const std::vector<std::string_view>& words, std::string_view text) {
  Found found;
  for (const auto& match : Matcher(words).find(text)) found.emplace_back(match.begin, match.word);
  return found;
}

// From its definition: at each place the longest word, else on by one byte.
Found slow_find(const std::vector<std::string_view>& words, std::string_view text) {
  Found found;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t best = words.size();
    for (std::size_t i = 0; i < words.size(); ++i) {
      bool is_longer = best == words.size() || words[i].size() >= words[best].size();
      if (is_longer && text.substr(at).starts_with(words[i])) best = i;
    }
    if (best < words.size()) found.emplace_back(at, best);
    at += best < words.size() ? words[best].size() : 1;
  }
  return found;
}

TEST(Matcher, FindsTheLongestFromLeftToRight) {
  EXPECT_EQ(find({}, "abc"), Found{});
  EXPECT_EQ(find({"a"}, ""), Found{});
  EXPECT_EQ(find({"a", "ab", "bc"}, "abcab"), (Found{{0, 1}, {3, 1}}));
  EXPECT_EQ(find({"abcd", "bc", "c"}, "abce"), (Found{{1, 1}}));
  EXPECT_EQ(find({"aa"}, "aaaaa"), (Found{{0, 0}, {2, 0}}));
}

TEST(Matcher, AgreesWithItsDefinition) {
  std::mt19937 random(2);
  auto word = [&](std::size_t most) {
    std::string text(1 + random() % most, ' ');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i <= random() % 8; ++i) words.push_back(word(6));
    std::vector<std::string_view> views(words.begin(), words.end());
    std::string text = word(60);
    ASSERT_EQ(find(views, text), slow_find(views, text)) << text;
  }
}

TEST(Matcher, TakesLinearTimeForWordsThatAlmostMatch) {
  std::string word = std::string(20'000, 'a') + "b";
  std::string text(2'000'000, 'a');
  std::clock_t begin = std::clock();
  EXPECT_TRUE(find({word, "c"}, text).empty());
  EXPECT_EQ(find({"b" + std::string(20'000, 'a')}, text), Found{});
  EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, 60)
      << "words times text would take an hour";
}

}  // namespace
}  // namespace chorus::tokenizer

#include "engine/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <random>

namespace chorus::engine {
namespace {

// What comes out when `text` is pushed in pieces of `piece` bytes, and whether a stop was found.
std::pair<std::string, bool> run(std::vector<std::string> stops, std::string_view text,
                                 std::size_t piece) {
  StopStrings stream(std::make_shared<const StopSet>(stops));
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += piece) out += stream.push(text.substr(i, piece));
  if (!stream.found()) out += stream.finish();
  return {out, stream.found()};
}

TEST(StopStrings, TextEndsBeforeTheFirstStopHoweverItIsCut) {
  for (std::size_t piece = 1; piece < 12; ++piece) {
    EXPECT_EQ(run({"abac"}, "xabababacyy", piece), std::make_pair(std::string("xabab"), true));
    EXPECT_EQ(run({"zz", "\n\n"}, "one\ntwo\n\nzz", piece),
              std::make_pair(std::string("one\ntwo"), true));
    EXPECT_EQ(run({"ab"}, "xa", piece), std::make_pair(std::string("xa"), false));
    EXPECT_EQ(run({}, "anything", piece), std::make_pair(std::string("anything"), false));
    EXPECT_EQ(run({""}, "anything", piece), std::make_pair(std::string("anything"), false));
  }
}

TEST(StopStrings, HoldsBackOnlyWhatCouldBeTheStartOfAStop) {
  StopStrings stream(std::make_shared<const StopSet>(std::vector<std::string>{"END"}));
  EXPECT_EQ(stream.push("the E"), "the ");
  EXPECT_EQ(stream.push("N"), "");
  EXPECT_EQ(stream.push("E"), "EN");
  EXPECT_EQ(stream.push("ND!"), "");
  EXPECT_TRUE(stream.found());
  EXPECT_EQ(stream.push("more"), "");
}

// What the pieces give, by looking at all of the held text anew each time.
std::pair<std::string, bool> slow_run(const std::vector<std::string>& stops, std::string_view text,
                                      std::size_t piece, bool include) {
  std::string held, out;
  for (std::size_t i = 0; i < text.size(); i += piece) {
    held += text.substr(i, piece);
    std::size_t first = std::string::npos, last = 0, keep = 0;
    for (const std::string& stop : stops) {
      std::size_t at = held.find(stop);
      if (at != std::string::npos && (at < first || (at == first && at + stop.size() > last))) {
        first = at;
        last = at + stop.size();
      }
      for (std::size_t n = std::min(held.size(), stop.size() - 1); n > keep; --n) {
        if (held.ends_with(stop.substr(0, n))) keep = n;
      }
    }
    if (first != std::string::npos) return {out + held.substr(0, include ? last : first), true};
    out += held.substr(0, held.size() - keep);
    held.erase(0, held.size() - keep);
  }
  return {out + held, false};
}

TEST(StopStrings, FindWhatASearchOfAllTheTextFinds) {
  std::mt19937 random(7);
  auto word = [&](std::size_t most) {
    std::string text(1 + random() % most, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> stops(1 + random() % 4);
    for (std::string& stop : stops) stop = word(8);
    std::string text = word(60);
    std::size_t piece = 1 + random() % 5;
    bool include = random() % 2 == 0;
    StopStrings stream(std::make_shared<const StopSet>(stops), include);
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += piece) out += stream.push(text.substr(i, piece));
    if (!stream.found()) out += stream.finish();
    EXPECT_EQ(std::make_pair(out, stream.found()), slow_run(stops, text, piece, include))
        << text << " in pieces of " << piece << " with " << testing::PrintToString(stops);
  }
}

// Each byte of the text begins every string, and none is whole. Compared anew at each byte, 16 KiB of
// strings would take more than an hour.
TEST(StopStrings, CostNoMoreForBeingLong) {
  auto seconds = [](std::size_t length) {
    std::vector<std::string> stops;
    for (char last = 'b'; last < 'b' + 16; ++last) stops.push_back(std::string(length, 'a') + last);
    StopStrings stream(std::make_shared<const StopSet>(stops));
    std::clock_t begun = std::clock();
    for (int i = 0; i < 200'000; ++i) stream.push("a");
    EXPECT_EQ(stream.finish().size(), length);
    return static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
  };
  double one = seconds(500), two = seconds(1000);
  EXPECT_LT(two, 5.0);
  EXPECT_LT(two, 3.0 * one + 0.5);
}

}  // namespace
}  // namespace chorus::engine

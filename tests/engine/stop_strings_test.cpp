#include "engine/stop_strings.h"

#include <gtest/gtest.h>

namespace chorus::engine {
namespace {

// What comes out when `text` is pushed in pieces of `piece` bytes, and whether a stop was found.
std::pair<std::string, bool> run(std::vector<std::string> stops, std::string_view text,
                                 std::size_t piece) {
  StopStrings stream(std::move(stops));
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
  StopStrings stream({"END"});
  EXPECT_EQ(stream.push("the E"), "the ");
  EXPECT_EQ(stream.push("N"), "");
  EXPECT_EQ(stream.push("E"), "EN");
  EXPECT_EQ(stream.push("ND!"), "");
  EXPECT_TRUE(stream.found());
  EXPECT_EQ(stream.push("more"), "");
}

}  // namespace
}  // namespace chorus::engine

#include "cli/line_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace chorus::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(LineChart, AxesEndAtRoundNumbers) {
  EXPECT_DOUBLE_EQ(nice_end(97.0, 5), 100.0);
  EXPECT_DOUBLE_EQ(nice_end(101.0, 5), 125.0);
  EXPECT_DOUBLE_EQ(nice_end(2000.0, 5), 2500.0);
  EXPECT_DOUBLE_EQ(nice_end(0.3, 5), 0.5);
  EXPECT_DOUBLE_EQ(nice_end(0.0, 5), 5.0);
}

TEST(LineChart, NamesItsAxesAndLines) {
  std::string svg = to_svg({"title", "streams", "tokens/s", {{"f32", {{1, 10}, {4, 20}}}}});
  for (const char* text : {">title<", ">streams<", ">tokens/s<", ">f32<", "<polyline"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST(LineChart, TheHorizontalAxisDoubles) {
  // 1, 4 and 16 are equally far from each other.
  std::string svg = to_svg({"", "", "", {{"", {{1, 0}, {4, 0}, {16, 0}}}}});
  EXPECT_THAT(svg, HasSubstr("<polyline points=\"80.0,380.0 310.0,380.0 540.0,380.0 \""));
}

TEST(LineChart, TextCannotBecomeMarkup) {
  std::string svg = to_svg({"a<b & c>d", "", "", {}});
  EXPECT_THAT(svg, HasSubstr("a&lt;b &amp; c&gt;d"));
  EXPECT_THAT(svg, Not(HasSubstr("a<b")));
}

TEST(LineChart, OnePointAndNoneAreDrawn) {
  EXPECT_THAT(to_svg({"", "", "", {{"x", {{32, 5}}}}}), HasSubstr("</svg>"));
  EXPECT_THAT(to_svg({"", "", "", {}}), Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace chorus::cli

#include "cli/progress.h"

#include <gtest/gtest.h>

namespace chorus::cli {
namespace {

TEST(RenderProgress, ShowsShareBarBytesAndRate) {
  EXPECT_EQ(render_progress("model", 50'000'000, 200'000'000, 12'340'000.0, 80),
            "model  25% [#######                       ] 50.0/200.0 MB  12.3 MB/s");
}

TEST(RenderProgress, BarShrinksAndThenGoesOnANarrowTerminal) {
  EXPECT_EQ(render_progress("m", 1'000'000, 2'000'000, 0.0, 27), "m  50% [###    ] 1.0/2.0 MB");
  EXPECT_EQ(render_progress("m", 1'000'000, 2'000'000, 0.0, 20), "m  50% 1.0/2.0 MB");
  EXPECT_EQ(render_progress("m", 1'000'000, 2'000'000, 0.0, 8), "m  50% 1");
}

TEST(RenderProgress, UnknownTotalShowsOnlyWhatIsDone) {
  EXPECT_EQ(render_progress("model", 1'500'000, 0, 500'000.0, 80), "model  1.5 MB  0.5 MB/s");
}

TEST(RenderProgress, MoreThanTotalIsShownAsTotal) {
  EXPECT_EQ(render_progress("m", 3'000'000, 2'000'000, 0.0, 20), "m 100% 2.0/2.0 MB");
}

struct FakeTerminal {
  double now = 100.0;
  std::string written;

  ProgressOutput output(bool is_terminal = true) {
    return {is_terminal, 60, [this] { return now; },
            [this](const std::string& text) { written += text; }};
  }
};

TEST(ProgressBar, StaysSilentForShortWork) {
  FakeTerminal terminal;
  {
    ProgressBar bar("model", terminal.output());
    bar.update(1, 10);
    terminal.now += 0.49;
    bar.update(10, 10);
  }
  EXPECT_EQ(terminal.written, "");
}

TEST(ProgressBar, StaysSilentWhereThereIsNoTerminal) {
  FakeTerminal terminal;
  ProgressBar bar("model", terminal.output(false));
  terminal.now += 10.0;
  bar.update(1, 10);
  bar.finish();
  EXPECT_EQ(terminal.written, "");
}

TEST(ProgressBar, ShowsAfterHalfASecondAndIsErasedAtTheEnd) {
  FakeTerminal terminal;
  ProgressBar bar("model", terminal.output());
  bar.update(0, 4'000'000);
  terminal.now += 1.0;
  bar.update(2'000'000, 4'000'000);
  EXPECT_EQ(terminal.written,
            "\r\x1b[Kmodel  50% [#############             ] 2.0/4.0 MB  2.0 MB/s");
  terminal.written.clear();
  bar.finish();
  EXPECT_EQ(terminal.written, "\r\x1b[K");
  bar.update(3'000'000, 4'000'000);
  bar.finish();
  EXPECT_EQ(terminal.written, "\r\x1b[K");
}

TEST(ProgressBar, RedrawsAtMostTenTimesASecond) {
  FakeTerminal terminal;
  ProgressBar bar("m", terminal.output());
  terminal.now += 1.0;
  bar.update(1, 10);
  terminal.written.clear();
  terminal.now += 0.05;
  bar.update(2, 10);
  EXPECT_EQ(terminal.written, "");
  terminal.now += 0.06;
  bar.update(3, 10);
  EXPECT_NE(terminal.written, "");
}

TEST(ProgressBar, RateLeavesOutWhatAnEarlierRunFetched) {
  FakeTerminal terminal;
  ProgressBar bar("m", terminal.output());
  bar.update(5'000'000, 8'000'000);
  terminal.now += 1.0;
  bar.update(6'000'000, 8'000'000);
  EXPECT_NE(terminal.written.find(" 1.0 MB/s"), std::string::npos) << terminal.written;
}

}  // namespace
}  // namespace chorus::cli

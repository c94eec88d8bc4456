#include "cli/json_lines.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <sstream>
#include <thread>

#include "cli/commands.h"

namespace chorus::cli {
namespace {

namespace json = boost::json;

TEST(AnswerJsonLines, OneAtATimeAnswersALineBeforeTheNextIsRead) {
  std::istringstream in("{\"n\":1}\n{\"n\":2}");
  std::vector<std::streamoff> places;
  testing::internal::CaptureStdout();
  answer_json_lines(in, {}, 1, [&](const json::object&, std::string_view) -> LineAnswer {
    places.push_back(in.tellg());
    return {.json = "x"};
  });
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "x\nx\n");
  EXPECT_EQ(places, (std::vector<std::streamoff>{8, -1}));  // -1: the end was met
}

TEST(AnswerJsonLines, ManyAtOnceAreAnsweredInOrderWhicheverIsReadyFirst) {
  std::string lines, expected;
  for (int i = 0; i < 40; ++i) {
    lines += fmt::format("{{\"n\":{}}}\n", i);
    expected += std::to_string(i) + "\n";
  }
  std::istringstream in(lines);
  std::atomic<int> now = 0, most = 0;
  testing::internal::CaptureStdout();
  answer_json_lines(in, {}, 8, [&](const json::object& line, std::string_view) -> LineAnswer {
    int running = ++now;
    for (int seen = most; running > seen && !most.compare_exchange_weak(seen, running);) {
    }
    auto n = line.at("n").to_number<int>();
    // The first waits for others, however late they begin.
    for (int i = 0; n == 0 && most == 1 && i < 20'000; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(n % 7));
    --now;
    return {.json = std::to_string(n), .tokens = 1};
  });
  EXPECT_EQ(testing::internal::GetCapturedStdout(), expected);
  EXPECT_GT(most, 1);
  EXPECT_LE(most, 8);
}

}  // namespace
}  // namespace chorus::cli

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

template <class T>
std::string error_of(const char* object, const char* name, T value = {}) {
  json::object line = json::parse(object).as_object();
  JsonFields fields(line);
  try {
    fields.read(name, value);
  } catch (const CommandFailed& error) {
    return error.what();
  }
  return "no error";
}

template <class T>
T read(const char* object, const char* name, T value) {
  json::object line = json::parse(object).as_object();
  JsonFields(line).read(name, value);
  return value;
}

TEST(AnswerJsonLines, OneAtATimeAnswersALineBeforeTheNextIsRead) {
  std::istringstream in("{\"n\":1}\n{\"n\":2}");
  std::vector<std::streamoff> places;
  testing::internal::CaptureStdout();
  answer_json_lines(in, 1, [&](const json::object&) -> LineAnswer {
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
  answer_json_lines(in, 8, [&](const json::object& line) -> LineAnswer {
    int running = ++now;
    for (int seen = most; running > seen && !most.compare_exchange_weak(seen, running);) {
    }
    auto n = line.at("n").to_number<int>();
    std::this_thread::sleep_for(std::chrono::milliseconds(n % 7));
    --now;
    return {.json = std::to_string(n), .tokens = 1};
  });
  EXPECT_EQ(testing::internal::GetCapturedStdout(), expected);
  EXPECT_GT(most, 1);
  EXPECT_LE(most, 8);
}

TEST(JsonFields, EitherSpellingIsReadAndAbsenceKeepsTheDefault) {
  EXPECT_EQ(read(R"({"max_length": 7})", "max_length", 1), 7);
  EXPECT_EQ(read(R"({"max-length": 7.0})", "max_length", 1), 7);
  EXPECT_EQ(read(R"({"other": 7})", "max_length", 1), 1);
  EXPECT_EQ(error_of<std::int32_t>(R"({"max-length": 7, "max_length": 8})", "max_length"),
            "max_length: expected the field once, found it with '_' and with '-'");
}

TEST(JsonFields, ASeedHasSixtyFourBitsAndMayBeNegative) {
  using Seed = std::uint64_t;
  EXPECT_EQ(read(R"({"seed": 18446744073709551615})", "seed", Seed{0}), ~Seed{0});
  EXPECT_EQ(read(R"({"seed": -1})", "seed", Seed{0}), ~Seed{0});
  for (const char* wrong :
       {"18446744073709551616", "-9223372036854775809", "1.5", "1e400", "\"1\"", "null", "[]"}) {
    EXPECT_EQ(error_of<Seed>((std::string("{\"seed\":") + wrong + "}").c_str(), "seed"),
              "seed: expected a whole number of 64 bits")
        << wrong;
  }
}

TEST(JsonFields, NumbersThatDoNotFitAreRefusedByName) {
  for (const char* wrong : {"2147483648", "-1e10", "0.5", "1e400", "true", "\"3\""}) {
    EXPECT_EQ(error_of<std::int32_t>((std::string("{\"n\":") + wrong + "}").c_str(), "n"),
              "n: expected a whole number of 32 bits")
        << wrong;
  }
  EXPECT_EQ(error_of<float>(R"({"t": 1e39})", "t"), "t: expected a number of 32 bits");
  EXPECT_EQ(error_of<float>(R"({"t": -1e400})", "t"), "t: expected a number of 32 bits");
  EXPECT_EQ(error_of<float>(R"({"t": "1"})", "t"), "t: expected a number");
  EXPECT_EQ(read(R"({"t": 2})", "t", 0.5f), 2.0f);
}

TEST(JsonFields, AStopIsAStringOrAListOfThem) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(read(R"({"stop": "a"})", "stop", Strings{"x"}), Strings{"a"});
  EXPECT_EQ(read(R"({"stop": ["a", "b"]})", "stop", Strings{"x"}), (Strings{"a", "b"}));
  EXPECT_EQ(read(R"({"stop": []})", "stop", Strings{"x"}), Strings{});
  EXPECT_EQ(error_of<Strings>(R"({"stop": ["a", 1]})", "stop"),
            "stop: expected a string or a list of strings");
}

TEST(JsonFields, AnUnknownFieldIsNamedWithThoseThatAreKnown) {
  json::object line = json::parse(R"({"a": 1, "b": 2})").as_object();
  JsonFields fields(line);
  std::int32_t value = 0;
  if (fields.has("a")) fields.read("a", value);
  fields.read("c", value);
  try {
    fields.expect_no_other();
    FAIL() << "expected CommandFailed";
  } catch (const CommandFailed& error) {
    EXPECT_STREQ(error.what(), "unknown field \"b\"; known: a, c");
  }
}

}  // namespace
}  // namespace chorus::cli

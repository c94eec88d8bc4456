#include "json/fields.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace chorus {
namespace {

namespace json = boost::json;

constexpr FieldPolicy kStrict{.refuse_unknown = true, .dash_is_underscore = true};

// What is read of the field `name`, or `value` and what was wrong.
template <class Value>
Value read_field(std::string object, const char* name, Value value, std::string problem = {},
                 FieldPolicy policy = kStrict) {
  json::object line = json::parse(object).as_object();
  JsonFields fields(line, policy);
  fields.read(name, value);
  std::optional<FieldError> error = fields.error();
  EXPECT_EQ(error ? error->message() : "", problem) << object;
  EXPECT_EQ(error ? error->field : name, name) << object;
  return value;
}

TEST(JsonFields, AnAbsentFieldAndANullLeaveTheDefault) {
  EXPECT_EQ(read_field(R"({})", "top_k", 1), 1);
  EXPECT_EQ(read_field(R"({"top_k": null})", "top_k", 1), 1);
  EXPECT_EQ(read_field(R"({"top_k": null})", "top_k", std::optional<int>()), std::nullopt);
  EXPECT_EQ(read_field(R"({"top_k": 2})", "top_k", std::optional<int>()), 2);
}

TEST(JsonFields, EitherSpellingIsReadWhereThePolicySaysSo) {
  EXPECT_EQ(read_field(R"({"max_length": 7})", "max_length", 1), 7);
  EXPECT_EQ(read_field(R"({"max-length": 7.0})", "max_length", 1), 7);
  EXPECT_EQ(read_field(R"({"max-length": 7})", "max_length", 1, "", {}), 1);
  read_field(R"({"max-length": 7, "max_length": 8})", "max_length", 1,
             "max_length: expected the field once, found it with '_' and with '-'");
  read_field(R"({"max-length": null, "max_length": 8})", "max_length", 1,
             "max_length: expected the field once, found it with '_' and with '-'");
  EXPECT_EQ(read_field(R"({"max-length": 7, "max_length": 8})", "max_length", 1, "", {}), 8);
}

TEST(JsonFields, ASeedHasSixtyFourBitsAndMayBeNegative) {
  using Seed = std::uint64_t;
  EXPECT_EQ(read_field(R"({"seed": 18446744073709551615})", "seed", Seed{0}), ~Seed{0});
  EXPECT_EQ(read_field(R"({"seed": -1})", "seed", Seed{0}), ~Seed{0});
  const std::string expected = "seed: expected a whole number of 64 bits, found ";
  read_field(R"({"seed": 1.5})", "seed", Seed{0}, expected + "1.5");
  read_field(R"({"seed": 18446744073709551616})", "seed", Seed{0},
             expected + "1.8446744073709552e+19");
  read_field(R"({"seed": "1"})", "seed", Seed{0}, expected + "\"1\"");
  read_field(R"({"seed": []})", "seed", Seed{0}, expected + "[]");
  read_field(R"({"seed": {}})", "seed", Seed{0}, expected + "{}");
}

TEST(JsonFields, NumbersThatDoNotFitAreRefusedByName) {
  for (const char* wrong : {"2147483648", "-2147483649", "0", "11", "true", "2.5"}) {
    json::object line = json::parse(std::string("{\"n\":") + wrong + "}").as_object();
    JsonFields fields(line);
    std::int32_t n = 5;
    std::optional<std::int32_t> maybe;
    fields.read("n", n, 1, 10);
    fields.read("n", maybe, 1, 10);
    ASSERT_TRUE(fields.error()) << wrong;
    EXPECT_EQ(fields.error()->problem.find("expected a whole number from 1 to 10, found "), 0u);
    EXPECT_EQ(n, 5);
  }
  read_field(R"({"t": 1e39})", "t", 0.0f, "t: expected a number of 32 bits, found 1e+39");
  read_field(R"({"t": "1"})", "t", 0.0f, "t: expected a number, found \"1\"");
}

TEST(JsonFields, AStringOrAnArrayOfThemIsRead) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(read_field(R"({"stop": "a"})", "stop", Strings{"x"}), Strings{"a"});
  EXPECT_EQ(read_field(R"({"stop": ["a", "b"]})", "stop", Strings{"x"}), (Strings{"a", "b"}));
  EXPECT_EQ(read_field(R"({"stop": []})", "stop", Strings{"x"}), Strings{});
  EXPECT_EQ(read_field(R"({"stop": ["a", 1]})", "stop", Strings{"x"},
                       "stop: expected a string or an array of strings, found [\"a\", 1]"),
            Strings{"x"});
}

TEST(JsonFields, AnIdThatIsNoneIsNamedByItsPlace) {
  using Ids = std::vector<std::int32_t>;
  EXPECT_EQ(read_field(R"({"ids": [1, 2.0]})", "ids", Ids{}), (Ids{1, 2}));
  EXPECT_EQ(
      read_field(R"({"ids": [1, "2"]})", "ids", Ids{7},
                 "ids: expected an array of token ids, whole numbers of 32 bits; element 1 is "
                 "\"2\""),
      Ids{7});
  read_field(R"({"ids": 3})", "ids", Ids{}, "ids: expected an array of token ids, found 3");
}

TEST(JsonFields, WhatTheObjectHoldsIsToldApartFromWhatWasExpected) {
  json::object line = json::parse(R"({"a": "my text", "b": [1, "x"], "c": 3})").as_object();
  auto shown = [&](const char* name) {
    JsonFields fields(line);
    fields.refuse(name, "something");
    return fields.error()->shown;
  };
  EXPECT_EQ(shown("a"), "\"my text\"");
  EXPECT_EQ(shown("b"), "[1, \"x\"]");
  EXPECT_EQ(shown("c"), "");
  EXPECT_EQ(shown("d"), "");
}

TEST(JsonFields, ANameThatWasAskedForIsKnownOnce) {
  json::object line = json::parse(R"({"a": 1, "b": 2})").as_object();
  JsonFields fields(line);
  for (const char* name : {"a", "c", "a", "c"}) fields.find(name);
  EXPECT_EQ(fields.known(), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(fields.unknown(), (std::vector<std::string>{"b"}));
}

TEST(JsonFields, TheFirstErrorIsKept) {
  json::object line = json::parse(R"({"a": "x", "b": "y"})").as_object();
  JsonFields fields(line);
  std::int32_t value = 0;
  fields.require("c", "a number");
  fields.read("a", value);
  fields.refuse("b", "something else");
  EXPECT_EQ(fields.error()->message(), "c: expected a number, found nothing");
}

TEST(JsonFields, AnUnknownFieldIsRefusedOrIgnoredAsThePolicySays) {
  json::object line = json::parse(R"({"a": 1, "b\n": 2})").as_object();
  for (bool refuse : {false, true}) {
    JsonFields fields(line, {.refuse_unknown = refuse});
    std::int32_t value = 0;
    if (fields.has("a")) fields.read("a", value);
    fields.read("c", value);
    std::optional<FieldError> error = fields.error();
    EXPECT_EQ(error ? error->message() : "", refuse ? "unknown field 'b\\x0a'; known: a, c" : "");
  }
}

}  // namespace
}  // namespace chorus

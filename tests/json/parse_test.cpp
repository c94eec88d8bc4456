#include "json/parse.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

namespace chorus {
namespace {

namespace json = boost::json;

std::string text_of(const std::string& document) {
  Result<json::value> value = parse_json(document);
  return value ? std::string(value.assume_value().as_string()) : value.assume_error().message;
}

std::string error_of_parse(const std::string& document) {
  Result<json::value> value = parse_json(document);
  return value ? "no error" : value.assume_error().message;
}

const std::string kReplaced = "\xef\xbf\xbd", kSmile = "\xf0\x9f\x98\x80";

TEST(ParseJson, AnEscapedSurrogateWithoutItsPartnerIsTheReplacementCharacter) {
  EXPECT_EQ(text_of(R"("a\udbc0b")"), "a" + kReplaced + "b");
  EXPECT_EQ(text_of(R"("cut \ud83d")"), "cut " + kReplaced);
  EXPECT_EQ(text_of(R"("\uDE00 begins")"), kReplaced + " begins");
  EXPECT_EQ(text_of(R"("\ud83d\ude00")"), kSmile);
  EXPECT_EQ(text_of(R"("\uD83D\uDE00\ud83d")"), kSmile + kReplaced);
  EXPECT_EQ(text_of(R"("\ude00\ud83d")"), kReplaced + kReplaced);     // reversed
  EXPECT_EQ(text_of(R"("\ud83d\ud83d\ude00")"), kReplaced + kSmile);  // the second has a partner
  EXPECT_EQ(text_of(R"("\ud83d\ude00\ude00")"), kSmile + kReplaced);
  EXPECT_EQ(text_of(R"("\ud83d\n")"), kReplaced + "\n");
  EXPECT_EQ(text_of(R"("\ud83d\u0041")"), kReplaced + "A");
  EXPECT_EQ(text_of(R"("\ud83d\\ude00")"), kReplaced + "\\ude00");
  EXPECT_EQ(text_of(R"("\\ud83d")"), "\\ud83d");  // no escape of a surrogate at all
  EXPECT_EQ(text_of(R"("\\\ud83d")"), "\\" + kReplaced);
  EXPECT_EQ(text_of(R"("\ud7ff\ue000")"), "\xed\x9f\xbf\xee\x80\x80");
}

TEST(ParseJson, KeysAreTextToo) {
  json::object object = parse_json_object(R"({"a\ud83d": 1, "b\ud83d\ude00": 2})").assume_value();
  EXPECT_TRUE(object.contains("a" + kReplaced));
  EXPECT_TRUE(object.contains("b" + kSmile));
  EXPECT_NE(error_of_parse(R"({"\ud83d": 1, "\ud83e": 2})").find("stands twice"),
            std::string::npos);
}

TEST(ParseJson, WhatIsNoEscapeIsAnErrorAtItsPlace) {
  for (const char* wrong : {R"("\ud83")", R"("\ud83g")", R"("\u")", R"("\)", R"(\ud83d)"}) {
    EXPECT_EQ(error_of_parse(wrong).find("bad JSON at byte "), 0u) << wrong;
  }
  // The offset is the one in what was given, whatever was replaced before it.
  EXPECT_EQ(error_of_parse(R"("\ud83d" x)").find("bad JSON at byte 9: "), 0u);
}

TEST(ParseJson, AByteOrderMarkIsTakenOff) {
  const std::string mark = "\xef\xbb\xbf";
  EXPECT_EQ(text_of(mark + "\"a\""), "a");
  EXPECT_EQ(error_of_parse(mark + "\"a\" x").find("bad JSON at byte 7: "), 0u);
  EXPECT_EQ(error_of_parse(mark + mark + "1").find("bad JSON at byte 3: "), 0u);
}

TEST(ParseJson, BytesThatAreNoUtf8AreAnError) {
  for (const char* wrong : {"\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "\"\xe2\x82\""}) {
    EXPECT_EQ(error_of_parse(wrong), "bad JSON: not utf-8 at byte 1") << wrong;
  }
  EXPECT_EQ(error_of_parse("{\"a\": \"\xc3\xa4\xf0\x9f\x98\"}"), "bad JSON: not utf-8 at byte 9");
  EXPECT_EQ(error_of_parse("x \"\xff\"").find("bad JSON at byte 0: "), 0u);  // the first error
}

TEST(ParseJson, ADoubledKeyAndDeepNestingAreErrors) {
  EXPECT_EQ(error_of_parse(R"({"a": 1, "a": 2})"),
            "bad JSON: the key 'a' stands twice in one object");
  EXPECT_EQ(error_of_parse(std::string(16, '[') + std::string(16, ']')), "no error");
  EXPECT_NE(error_of_parse(std::string(17, '[') + std::string(17, ']')), "no error");
}

}  // namespace
}  // namespace chorus

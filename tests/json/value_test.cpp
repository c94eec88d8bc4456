#include "json/value.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "json/text.h"

namespace chorus {
namespace {

// What is read of a JSON text, or `otherwise`, and what was expected if it is not that.
template <class Value>
Value read(std::string_view text, Value otherwise, std::string_view expected = {}) {
  const char* what = read_json(boost::json::parse(text), otherwise);
  EXPECT_EQ(what == nullptr ? "" : what, expected) << text;
  return otherwise;
}

TEST(JsonValue, ReadsWhatFitsAndSaysWhatWasExpected) {
  EXPECT_TRUE(read("true", false));
  EXPECT_TRUE(read("1", true, "true or false"));
  EXPECT_EQ(read("\"a\"", std::string("b")), "a");
  EXPECT_EQ(read("[]", std::string("b"), "a string"), "b");
  EXPECT_EQ(read("1.5", 0.0f), 1.5f);
  EXPECT_EQ(read("1e39", 2.0f, "a number of 32 bits"), 2.0f);
  EXPECT_EQ(read("5.0", std::int32_t{0}), 5);
  EXPECT_EQ(read("5.5", std::int32_t{7}, "a whole number of 32 bits"), 7);
  EXPECT_EQ(read("2147483648", std::int32_t{7}, "a whole number of 32 bits"), 7);
  EXPECT_EQ(read("2147483648", std::int64_t{7}), 2147483648);
  EXPECT_EQ(read("-1", std::uint64_t{0}), ~std::uint64_t{0});
  EXPECT_EQ(read("18446744073709551615", std::uint64_t{0}), ~std::uint64_t{0});
  EXPECT_EQ(read("1e400", std::uint64_t{7}, "a whole number of 64 bits"), 7u);
  using Ids = std::vector<std::int32_t>;
  EXPECT_EQ(read("[1, 2.0, 3]", Ids{}), (Ids{1, 2, 3}));
  EXPECT_EQ(read("[1, \"2\"]", Ids{9}, "an array of token ids"), Ids{9});
  EXPECT_EQ(read("1", Ids{9}, "an array of token ids"), Ids{9});
}

TEST(JsonText, AnExcerptIsShortAndAscii) {
  auto excerpt = [](const char* text) { return json_excerpt(boost::json::parse(text)); };
  EXPECT_EQ(excerpt(R"("a\"\n\u001b\u00e9\ud83d\ude00\u202e")"),
            R"("a\"\n\u001b\u00e9\ud83d\ude00\u202e")");
  EXPECT_EQ(excerpt(R"({"a": [1, -0.5, true, null, {}], "b": "c"})"),
            R"({"a": [1, -0.5, true, null, {}], "b": "c"})");
  EXPECT_EQ(excerpt("-1e400"), "-Infinity");
  EXPECT_EQ(json_string_excerpt("a\xff"), R"("a\ufffd")");
  EXPECT_EQ(json_string_excerpt(std::string(1000, 'a')), "\"" + std::string(79, 'a') + "...");
  EXPECT_LE(json_excerpt(boost::json::array(100'000, "\n")).size(), 83u);
}

TEST(JsonText, IsWellFormedWhateverIsInIt) {
  EXPECT_EQ(json_number(0.1), "0.1");
  EXPECT_EQ(json_number(1.0 / 0.0), "null");
  EXPECT_EQ(json_number(std::nullopt), "null");
  EXPECT_EQ(json_string("a\"\n\xff"), "\"a\\\"\\n\xef\xbf\xbd\"");
  EXPECT_EQ(json_array(std::vector<int>{1, 2}), "[1,2]");
}

}  // namespace
}  // namespace chorus

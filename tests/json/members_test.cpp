#include "json/members.h"

#include <gtest/gtest.h>

#include <string>

#include "json/parse.h"

namespace chorus {
namespace {

std::string joined(std::string_view text) {
  EXPECT_TRUE(parse_json_object(text)) << text;
  std::string all;
  for (const JsonMember& member : json_members(text)) {
    all += std::string(member.name) + "=" + std::string(member.value) + ";";
  }
  return all;
}

TEST(JsonMembers, AreWhatIsWritten) {
  EXPECT_EQ(joined(R"({"a":1.10,"b":9007199254740993,"c":1e400,"d":-0})"),
            R"("a"=1.10;"b"=9007199254740993;"c"=1e400;"d"=-0;)");
  EXPECT_EQ(joined("\xEF\xBB\xBF { \"a\" : [ 1 , {\"x\":\"}],\"} ] ,\t\"b\":{} }\r"),
            R"("a"=[ 1 , {"x":"}],"} ];"b"={};)");
  EXPECT_EQ(joined(R"({"q\"\\":"\\\"\u00e9, }", "":null,"t":true })"),
            R"("q\"\\"="\\\"\u00e9, }";""=null;"t"=true;)");
  EXPECT_EQ(joined("{}"), "");
  EXPECT_EQ(joined(" { } "), "");
}

}  // namespace
}  // namespace chorus

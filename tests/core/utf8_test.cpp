// The expectations are what Python 3.11 gives for bytes.decode("utf-8", errors="replace").
#include "core/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace chorus {
namespace {

using namespace std::string_literals;

const std::string kR(kReplacementCharacter);

struct Case {
  std::string bytes;
  std::string text;
};

std::vector<Case> cases() {
  return {
      {"", ""},
      {"plain ASCII, longer than one word of eight bytes",
       "plain ASCII, longer than one word of eight bytes"},
      {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
      {"\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"},
      {"\x80", kR},
      {"\xC0\xAF", kR + kR},                    // overlong
      {"\xE0\x80\x80", kR + kR + kR},           // overlong
      {"\xF0\x80\x80\x80", kR + kR + kR + kR},  // overlong
      {"\xED\xA0\x80", kR + kR + kR},           // a surrogate
      {"\xF4\x90\x80\x80", kR + kR + kR + kR},  // beyond U+10FFFF
      {"\xF5\x80", kR + kR},
      {"\xFF\xFE", kR + kR},
      {"\xC2", kR},
      {"\xE0\xA0", kR},  // one maximal subpart
      {"\xF0\x9F\x98", kR},
      {"\xF0\x9F\x98"
       "a",
       kR + "a"},
      {"\xE2\x82\xE2\x82\xAC", kR + "\xE2\x82\xAC"},
      {"\xF0\x9F\xF0\x9F\x98\x80", kR + "\xF0\x9F\x98\x80"},
      {"a\xE2\x28\xA1"
       "b",
       "a" + kR + "(" + kR + "b"},
      {"\0\xC3\xA9\xC3"s, "\0\xC3\xA9"s + kR},
      {"eight by"
       "\xF0\x9F\x98"
       "tes and more",
       "eight by" + kR + "tes and more"},
  };
}

TEST(Utf8, IllFormedBytesAreReplacedAsPythonReplacesThem) {
  for (const Case& c : cases()) EXPECT_EQ(replace_ill_formed(c.bytes), c.text) << c.bytes;
}

TEST(Utf8, OnlyAnIncompleteCharacterAtTheEndIsLeft) {
  for (const Case& c : cases()) {
    std::string out;
    std::size_t used = append_well_formed(c.bytes, out);
    EXPECT_LE(c.bytes.size() - used, 3u);
    EXPECT_EQ(used == c.bytes.size() ? out : out + kR, c.text) << c.bytes;
  }
  std::string out = "before ";
  EXPECT_EQ(append_well_formed("ab\xE2\x82", out), 2u);
  EXPECT_EQ(out, "before ab");
}

TEST(Utf8, WellFormedLengthEndsAtTheFirstBadByte) {
  EXPECT_EQ(well_formed_length(""), 0u);
  EXPECT_EQ(well_formed_length("\xC3\xA9 is good, \xC3 is not"), 12u);
  EXPECT_EQ(well_formed_length("12345678\xFF"), 8u);
  EXPECT_EQ(well_formed_length("incomplete \xE2\x82"), 11u);
}

// The code point's UTF-8 by the definition, surrogates included.
std::string written(std::uint32_t c) {
  auto tail = [](std::uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3F)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(c)};
  if (c < 0x10000) return {static_cast<char>(0xE0 | c >> 12), tail(c >> 6), tail(c)};
  return {static_cast<char>(0xF0 | c >> 18), tail(c >> 12), tail(c >> 6), tail(c)};
}

TEST(Utf8, EveryCodePointIsWellFormedButSurrogatesAndThoseBeyondTheLast) {
  for (std::uint32_t c = 0; c < 0x120000; ++c) {
    bool good = c < 0x110000 && (c < 0xD800 || c > 0xDFFF);
    std::string bytes = written(c);
    Utf8Unit unit = first_utf8_unit(bytes);
    ASSERT_EQ(unit.kind == Utf8Unit::Kind::kWhole, good) << c;
    ASSERT_EQ(unit.length, good ? bytes.size() : 1u) << c;
  }
}

}  // namespace
}  // namespace chorus

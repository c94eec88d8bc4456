// What is converted, what is refused and where. Against Python itself: tests/cli/text_against_python.py.
#include "core/text_encoding.h"

#include <gtest/gtest.h>

#include <string>

#include "core/utf8.h"

namespace chorus {
namespace {

using namespace std::string_literals;

std::string converted(const std::string& bytes, const TextEncoding& encoding = {}) {
  Result<std::string> text = to_utf8(bytes, encoding);
  return text ? text.assume_value() : "error: " + text.assume_error().message;
}

TEST(TextEncoding, Utf8StaysAsItIsWithoutItsByteOrderMark) {
  const std::string text = "caf\u00e9 \U0001f600\0\r\n"s;
  for (const char* name : {"", "utf-8", "UTF8", "utf_8", "utf-8-sig"}) {
    EXPECT_EQ(converted(text, {name}), text) << name;
    EXPECT_EQ(converted("\xEF\xBB\xBF" + text, {name}), text) << name;
  }
  EXPECT_EQ(converted("\xEF\xBB\xBF\xEF\xBB\xBF"), "\xEF\xBB\xBF");  // the second is a character
  EXPECT_EQ(converted("a\xEF\xBB\xBF"), "a\xEF\xBB\xBF");
  EXPECT_EQ(converted(""), "");
}

TEST(TextEncoding, WhatIsNoUtf8IsAnErrorAtItsByte) {
  EXPECT_EQ(converted("caf\xe9 na\xefve"), "error: not utf-8 at byte 3 (0xe9)");
  EXPECT_EQ(converted("\xEF\xBB\xBF"
                      "a\xff"),
            "error: not utf-8 at byte 4 (0xff)");
  EXPECT_EQ(converted("a\xc0\x80"), "error: not utf-8 at byte 1 (0xc0)");         // overlong
  EXPECT_EQ(converted("a\xed\xa0\x80"), "error: not utf-8 at byte 1 (0xed)");     // a surrogate
  EXPECT_EQ(converted("\xf4\x90\x80\x80"), "error: not utf-8 at byte 0 (0xf4)");  // over 10ffff
  EXPECT_EQ(converted("a\xe2\x82"), "error: not utf-8 at byte 1: it ends inside a character");
  EXPECT_EQ(converted("\xe2\x82 a"), "error: not utf-8 at byte 0 (0xe2)");
}

TEST(TextEncoding, AnotherEncodingsByteOrderMarkIsNamed) {
  const std::string message = "error: not utf-8: it begins with the byte order mark of ";
  EXPECT_EQ(converted("\xFF\xFEH\0"s), message + "utf-16");
  EXPECT_EQ(converted("\xFE\xFF\0H"s), message + "utf-16");
  EXPECT_EQ(converted("\xFF\xFE\0\0H\0\0\0"s), message + "utf-32");
  EXPECT_EQ(converted("\0\0\xFE\xFF\0\0\0H"s), "error: not utf-8 at byte 2 (0xfe)");
  EXPECT_EQ(converted("\xFE\xFF\0H"s, {"utf-16-le"}),
            "error: not utf16le: it begins with the byte order mark of utf-16-be");
}

TEST(TextEncoding, Utf16WithoutAMarkIsKnownByItsZeros) {
  auto wide = [](std::string_view text, bool big) {
    std::string bytes;
    for (char c : text) bytes += big ? std::string{'\0', c} : std::string{c, '\0'};
    return bytes;
  };
  for (bool replaced : {false, true}) {
    for (const char* text : {"ab", "sentence,x\nThe cat,1\n"}) {
      EXPECT_EQ(to_utf8(wide(text, false), {"", replaced}).assume_error().message,
                "not utf-8: every other byte is zero, as in utf-16le");
      EXPECT_EQ(to_utf8(wide(text, true), {"", replaced}).assume_error().message,
                "not utf-8: every other byte is zero, as in utf-16be");
    }
  }
  for (std::string text : {std::string("\0", 1), std::string("a\0", 2), std::string("\0\0\0\0", 4),
                           std::string("a\0b", 3), std::string("a\0bcd\0", 6)}) {
    EXPECT_EQ(to_utf8(text, {}).assume_value(), text);
  }
}

TEST(TextEncoding, WhatShowsItselfToBeInAnotherEncodingIsNotConverted) {
  const std::string marked =
      "\xEF\xBB\xBF"
      "The cat";
  for (bool replaced : {false, true}) {
    for (const char* name : {"latin-1", "cp1252", "utf-16", "utf-16le", "utf-32"}) {
      EXPECT_EQ(
          converted(marked, {name, replaced}),
          std::string("error: not ") + name + ": it begins with the byte order mark of utf-8");
    }
    EXPECT_EQ(converted("\xFF\xFEH\0"s, {"latin-1", replaced}),
              "error: not latin-1: it begins with the byte order mark of utf-16");
    EXPECT_EQ(converted("\0T\0h\0e"s, {"utf-16", replaced}),
              "error: not utf-16: every other byte is zero, as in utf-16be");
    EXPECT_EQ(converted("\0T\0h\0e"s, {"UTF-16LE", replaced}),
              "error: not UTF-16LE: every other byte is zero, as in utf-16be");
    EXPECT_EQ(converted("T\0h\0e\0"s, {"utf_16_be", replaced}),
              "error: not utf_16_be: every other byte is zero, as in utf-16le");
    EXPECT_EQ(converted("T\0h\0e\0"s, {"latin-1", replaced}),
              "error: not latin-1: every other byte is zero, as in utf-16le");
    EXPECT_EQ(converted("T\0h\0e\0"s, {"utf-16", replaced}), "The");
    EXPECT_EQ(converted("\0T\0h\0e"s, {"utf-16-be", replaced}), "The");
    EXPECT_EQ(converted("\xFE\xFF\0T\0h\0e"s, {"utf-16", replaced}), "The");
    EXPECT_EQ(converted("T\0\0\0h\0\0\0"s, {"utf-32le", replaced}), "Th");
  }
}

TEST(TextEncoding, NamesAreIconvsOrPythons) {
  for (const char* name : {"latin-1", "latin_1", "LATIN1", "iso-8859-1", "ISO8859-1", "l1"}) {
    EXPECT_EQ(converted("caf\xe9", {name}), "caf\u00e9") << name;
  }
  for (const char* name : {"utf-16", "UTF16", "utf_16", "utf-16le", "utf_16_le"}) {
    EXPECT_EQ(converted("\xFF\xFE"
                        "a\0\xac\x20"s,
                        {name}),
              "a\u20ac")
        << name;
  }
  EXPECT_EQ(converted("\xFE\xFF\0a\xd8\x3d\xde\x00"s, {"utf-16"}), "a\U0001f600");
  EXPECT_EQ(converted("\xFF\xFE\0\0a\0\0\0"s, {"utf-32"}), "a");
  EXPECT_EQ(converted("\x80", {"cp1252"}), "\u20ac");
  EXPECT_EQ(converted("\x83\x70", {"shift_jis"}), "\u30d1");
  for (const char* name : {"klingon", "latin1//IGNORE", "latin1//TRANSLIT", "//", "latin1,utf-8"}) {
    EXPECT_FALSE(check_encoding(name)) << name;
    EXPECT_EQ(converted("a", {name}).find("error: expected an encoding that iconv knows"), 0u);
  }
  EXPECT_FALSE(check_encoding(""));
  EXPECT_FALSE(check_encoding(std::string(1000, 'a')));
  EXPECT_TRUE(check_encoding("latin-1"));
  EXPECT_TRUE(check_encoding("utf-8-sig"));
}

TEST(TextEncoding, WhatIsIllFormedInAnotherEncodingIsAnErrorAtItsByte) {
  EXPECT_EQ(converted("ab\x81", {"cp1252"}), "error: not cp1252 at byte 2 (0x81)");
  EXPECT_EQ(converted("a\0\x00\xdc"s, {"utf-16-le"}), "error: not utf-16-le at byte 2 (0x00)");
  EXPECT_EQ(converted("a\0b"s, {"utf-16-le"}),
            "error: not utf-16-le at byte 2: it ends inside a character");
}

TEST(TextEncoding, ReplacesAsPythonDoes) {
  auto replaced = [](const std::string& bytes, const char* name = "") {
    return converted(bytes, {name, true});
  };
  const std::string r = "\ufffd";
  EXPECT_EQ(replaced("caf\xe9 na\xefve"), "caf" + r + " na" + r + "ve");
  EXPECT_EQ(replaced("\xf0\x9f\x98"), r);  // one for what could have become a character
  EXPECT_EQ(replaced("\xf0\x9f\x98 "), r + " ");
  EXPECT_EQ(replaced("\xf0\x80\x80\x80"), r + r + r + r);  // overlong: one for each byte
  EXPECT_EQ(replaced("\xed\xa0\x80"), r + r + r);
  EXPECT_EQ(replaced("\xEF\xBB\xBF\xff"), r);
  EXPECT_EQ(replaced("\xFF\xFEH\0"s), r + r + "H\0"s);
  EXPECT_EQ(replaced("\x00\xd8"
                     "a\0"s,
                     "utf-16-le"),
            r + "a");
  EXPECT_EQ(replaced("a\0b"s, "utf-16-le"), "a" + r);
  EXPECT_EQ(replaced("\x00\x00\x11\x00"
                     "a\0\0\0"s,
                     "utf-32-le"),
            r + "a");
  EXPECT_EQ(replaced("a\x81\x8d", "cp1252"), "a" + r + r);
  EXPECT_EQ(replaced("a\xff", "ascii"), "a" + r);
}

TEST(TextEncoding, ALongTextIsConvertedWhole) {
  std::string latin, utf8;
  for (int i = 0; i < 100'000; ++i) {
    latin += i % 3 == 0 ? '\xe9' : 'a';
    utf8 += i % 3 == 0 ? "\u00e9" : "a";
  }
  EXPECT_EQ(converted(latin, {"latin-1"}), utf8);
  std::string replaced = converted(latin, {"ascii", true});
  EXPECT_TRUE(is_well_formed(replaced));
  EXPECT_EQ(replaced.size(), 100'000u + 2 * 33'334u);
}

}  // namespace
}  // namespace chorus

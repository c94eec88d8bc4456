#include "tokenizer/splitter.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace chorus::tokenizer {
namespace {

using Pieces = std::vector<std::string>;

Pieces split(std::string_view text) {
  static const Splitter splitter = std::move(Splitter::make().assume_value());
  Pieces pieces;
  Splitter::Cursor cursor(splitter, text);
  for (auto piece = cursor.next(); !piece.empty(); piece = cursor.next()) {
    pieces.emplace_back(piece);
  }
  return pieces;
}

TEST(Splitter, WordsNumbersAndOthersTakeOneSpaceInFront) {
  EXPECT_EQ(split(""), Pieces{});
  EXPECT_EQ(split("two words"), (Pieces{"two", " words"}));
  EXPECT_EQ(split("a1 22!? ..x"), (Pieces{"a", "1", " 22", "!?", " ..", "x"}));
  EXPECT_EQ(split("na\u00EFve \u4E2D\u6587\u0664"),
            (Pieces{"na\u00EFve", " \u4E2D\u6587", "\u0664"}));
  EXPECT_EQ(split("\tx"), (Pieces{"\t", "x"}));  // only U+0020 goes along
}

TEST(Splitter, ARunOfWhiteSpaceLeavesItsLastToWhatFollows) {
  EXPECT_EQ(split("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(split("a \n b"), (Pieces{"a", " \n", " b"}));
  EXPECT_EQ(split("a\n\nb"), (Pieces{"a", "\n", "\n", "b"}));
  EXPECT_EQ(split("a  "), (Pieces{"a", "  "}));
  EXPECT_EQ(split("\u3000\u2003x"), (Pieces{"\u3000", "\u2003", "x"}));
}

TEST(Splitter, ContractionsAreLowerCaseAndFirst) {
  EXPECT_EQ(split("I'm you're it's he'll we've I'd don't"),
            (Pieces{"I", "'m", " you", "'re", " it", "'s", " he", "'ll", " we", "'ve", " I", "'d",
                    " don", "'t"}));
  EXPECT_EQ(split("I'M 'tis '''s"), (Pieces{"I", "'", "M", " '", "tis", " '''", "s"}));
  EXPECT_EQ(split("'lx 'r"), (Pieces{"'", "lx", " '", "r"}));
}

TEST(Splitter, AMillionOfOneKindAreOnePiece) {
  for (char byte : {'a', '7', '!', ' '}) {
    std::string text(1'000'000, byte);
    EXPECT_EQ(split(text), Pieces{text});
  }
}

}  // namespace
}  // namespace chorus::tokenizer

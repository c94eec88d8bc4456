#include "tokenizer/stream_decoder.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/utf8.h"
#include "tokenizer/tokenizer.h"

namespace chorus::tokenizer {
namespace {

const std::vector<std::string> kTricky = {
    "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
    "\xF0\x9F\xF0\x9F\x98\x80",
    "a\xED\xA0\x80"
    "b",
    "\xE0\x80\xE0\xA0",
    "\xF4\x90\x80\xF4\x8F\xBF",
    "\xF0\x80\xC2\xC2\xA0",
    "\xE2\x82"
    "ab\xFF\xFE\xC3",
    "no character beyond ASCII",
};

// The pieces that the bits of `cuts` make: bit i cuts after byte i.
std::vector<std::string> cut(const std::string& bytes, unsigned cuts) {
  std::vector<std::string> pieces(1);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    pieces.back() += bytes[i];
    if ((cuts >> i & 1) != 0) pieces.emplace_back();
  }
  return pieces;
}

TEST(StreamDecoder, EverySplitGivesTheTextOfTheWhole) {
  for (const std::string& bytes : kTricky) {
    std::string whole = replace_ill_formed(bytes);
    for (unsigned cuts = 0; cuts < 1u << std::min<std::size_t>(bytes.size(), 12); ++cuts) {
      StreamDecoder decoder;
      std::string text;
      for (const std::string& piece : cut(bytes, cuts)) {
        std::string given = decoder.push(piece);
        ASSERT_EQ(well_formed_length(given), given.size());
        text += given;
      }
      ASSERT_EQ(text + decoder.finish(), whole) << bytes << " cut by " << cuts;
    }
  }
}

TEST(StreamDecoder, RandomBytesOneByOneGiveTheTextOfTheWhole) {
  const std::string alphabet = "a\x80\xA0\x9F\xBF\xC2\xE0\xED\xE2\xF0\xF4\x90\xFF";
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(1 + random() % 20, ' ');
    for (char& byte : bytes) byte = alphabet[random() % alphabet.size()];
    StreamDecoder decoder;
    std::string text;
    for (char byte : bytes) text += decoder.push({&byte, 1});
    ASSERT_EQ(text + decoder.finish(), replace_ill_formed(bytes));
  }
}

TEST(StreamDecoder, HoldsACharacterOnlyUntilItIsDecided) {
  StreamDecoder decoder;
  EXPECT_EQ(decoder.push("x\xF0\x9F"), "x");
  EXPECT_EQ(decoder.push("\x98"), "");
  EXPECT_EQ(decoder.push("\x80"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(decoder.push("\xE2\x82"), "");
  EXPECT_EQ(decoder.push("!"), "\xEF\xBF\xBD!");  // it can no longer become one
  EXPECT_EQ(decoder.push("\xED"), "");
  EXPECT_EQ(decoder.push("\xA0"), "\xEF\xBF\xBD\xEF\xBF\xBD");  // surrogates never can
}

TEST(StreamDecoder, FinishFlushesOneReplacementAndStartsAnew) {
  StreamDecoder decoder;
  EXPECT_EQ(decoder.finish(), "");
  decoder.push("\xF0\x9F\x98");
  EXPECT_EQ(decoder.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(decoder.finish(), "");
  EXPECT_EQ(decoder.push("\x80"), "\xEF\xBF\xBD");
}

TEST(StreamDecoder, TokensThatSplitACharacterGiveItWhole) {
  const Tokenizer& gpt2 = *Tokenizer::gpt2();
  std::string text = "\xF0\x9F\xA6\x86 \xE9\xBE\x98";  // a duck; a rare character of three tokens
  std::vector<std::int32_t> ids = gpt2.encode(text).assume_value();
  ASSERT_GT(ids.size(), 3u);
  StreamDecoder decoder;
  std::string out;
  for (std::int32_t id : ids) {
    std::string given = decoder.push(*gpt2.token_bytes(id));
    EXPECT_EQ(given.find("\xEF\xBF\xBD"), std::string::npos);
    out += given;
  }
  EXPECT_EQ(out + decoder.finish(), text);
}

}  // namespace
}  // namespace chorus::tokenizer

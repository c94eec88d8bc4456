// Expected ids are tiktoken's (`gpt2`; npm package tiktoken 1.0.22).
#include <gtest/gtest.h>

#include <cstdint>
#include <ctime>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/assets.h"
#include "core/utf8.h"
#include "tokenizer/byte_level_bpe.h"

namespace chorus::tokenizer {
namespace {

using Ids = std::vector<std::int32_t>;

Ids encode(std::string_view text, Special special = Special::kAsText) {
  return Tokenizer::gpt2()->encode(text, special).assume_value();
}

TEST(Tokenizer, GivesTiktokensIds) {
  EXPECT_EQ(encode(""), Ids{});
  EXPECT_EQ(encode("Hello, world"), (Ids{15496, 11, 995}));
  EXPECT_EQ(encode("I'll they're I'LL x\u2019s"),
            (Ids{40, 1183, 484, 821, 314, 6, 3069, 2124, 447, 247, 82}));
  EXPECT_EQ(encode("  a   b \n\n c  "), (Ids{220, 257, 220, 220, 275, 220, 628, 269, 220, 220}));
  EXPECT_EQ(encode("2023 is 1,234.5"), (Ids{1238, 1954, 318, 352, 11, 24409, 13, 20}));
}

// "'ll" (id 1183) is cut off after a letter, a number or white space, but not after anything else:
// a run of other characters takes the apostrophe.
bool cuts_off_ll(const char* before) {
  Ids ids = encode(std::string(before) + "'ll");
  return ids.back() == 1183;
}

TEST(Tokenizer, WhiteSpaceIsUnicodes) {
  for (const char* space : {"\t", "\n", "\v", "\f", "\r", "\u0085", "\u00A0", "\u1680", "\u2000",
                            "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"}) {
    EXPECT_TRUE(cuts_off_ll(space)) << space;
  }
  for (const char* other : {"\x1C", "\x1F", "\u180E", "\u200B", "\u200D", "\u2060", "\uFEFF"}) {
    EXPECT_FALSE(cuts_off_ll(other)) << other;
  }
  EXPECT_EQ(encode("x\u3000\u3000y"), (Ids{87, 5099, 222, 5099, 222, 88}));
}

TEST(Tokenizer, LettersAndNumbersAreThoseOfUnicode16) {
  EXPECT_EQ(encode("\U000313AC'll"), (Ids{172, 109, 236, 105, 1183}));
  EXPECT_EQ(encode("\U0001E4F1'll"), (Ids{172, 252, 241, 109, 1183}));
  for (const char* added : {"\u1C8A", "\uA7DC", "\U00010D40", "\U000143FA", "\U0002EE5D"}) {
    EXPECT_TRUE(cuts_off_ll(added)) << added;
  }
  EXPECT_FALSE(cuts_off_ll("\U000323B0"));  // unassigned
}

TEST(Tokenizer, EndOfTextIsTextUnlessRecognised) {
  EXPECT_EQ(encode("<|endoftext|>"), (Ids{27, 91, 437, 1659, 5239, 91, 29}));
  EXPECT_EQ(encode("<|endoftext|>", Special::kRecognise), Ids{kEndOfText});
  EXPECT_EQ(encode("a <|endoftext|> b<|endoftext|>", Special::kRecognise),
            (Ids{64, 220, kEndOfText, 275, kEndOfText}));
  EXPECT_EQ(encode("<|endoftext|", Special::kRecognise), encode("<|endoftext|"));
}

TEST(Tokenizer, IllFormedBytesAreEncodedAsTheirReplacements) {
  EXPECT_EQ(encode("a\xFF"
                   "b"),
            (Ids{64, 4210, 65}));
  EXPECT_EQ(encode("\xED\xA0\x80"), encode("\uFFFD\uFFFD\uFFFD"));
  EXPECT_EQ(encode("\xF0\x9F\x98"), Ids{4210});
  EXPECT_EQ(encode("\xC3<|endoftext|>", Special::kRecognise), (Ids{4210, kEndOfText}));
}

TEST(Tokenizer, DecodeGivesTheBytesOfEveryIdAndTheNumberOfOthers) {
  const Tokenizer& gpt2 = *Tokenizer::gpt2();
  EXPECT_EQ(gpt2.size(), kGpt2Size);
  for (std::int32_t id = 0; id < kGpt2Size; ++id) ASSERT_FALSE(gpt2.token_bytes(id)->empty());
  for (std::int32_t id : {-1, kGpt2Size, 50303, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(gpt2.token_bytes(id), std::nullopt);
  }
  EXPECT_EQ(gpt2.decode(Ids{15496, 50300, 11, -5, 995, kEndOfText}),
            "Hello<|id 50300|>,<|id -5|> world<|endoftext|>");
  EXPECT_EQ(gpt2.token_bytes(447), "\xE2\x80");  // half a character, as it is
}

// A text of `length` parts, each one of a few that are hard to tell apart.
std::string random_text(std::mt19937& random, std::size_t length) {
  static const std::vector<std::string> kParts = {"a",        "the",    " ",
                                                  "  ",       "\n",     "'",
                                                  "'s",       "7",      "!",
                                                  "\u00E9",   "\u4E2D", "\U0001F986",
                                                  "\u3000",   "\u0301", "<|endoftext|>",
                                                  "\xF0\x9F", "\xFF",   std::string(1, '\0')};
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += kParts[random() % kParts.size()];
  return text;
}

TEST(Tokenizer, DecodingWhatWasEncodedGivesTheText) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string text = random_text(random, random() % 40);
    for (Special special : {Special::kAsText, Special::kRecognise}) {
      ASSERT_EQ(Tokenizer::gpt2()->decode(encode(text, special)), replace_ill_formed(text));
    }
  }
  std::string every;  // each code point but the surrogates
  for (std::uint32_t c = 0x10000; c < 0x110000; ++c) {
    for (unsigned shift : {18u, 12u, 6u, 0u}) {
      every += static_cast<char>((shift == 18 ? 0xF0 : 0x80) | (c >> shift & 0x3F));
    }
  }
  ASSERT_EQ(Tokenizer::gpt2()->decode(encode(every)), every);
}

TEST(Tokenizer, ManyThreadsMayEncodeAtOnce) {
  std::mt19937 random(3);
  std::string text = random_text(random, 3000);
  Ids expected = encode(text);
  std::vector<Ids> found(4);
  std::vector<std::thread> threads;
  for (Ids& ids : found) threads.emplace_back([&ids, &text] { ids = encode(text); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& ids : found) EXPECT_EQ(ids, expected);
}

struct LongText {
  const char* name;
  std::string text;
};

std::string repeated(std::string_view part, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += part;
  return text;
}

std::vector<LongText> long_texts(std::size_t bytes) {
  std::mt19937 random(11);
  std::string letters(bytes, ' ');
  for (char& letter : letters) letter = static_cast<char>('a' + random() % 26);
  std::string mixed;
  while (mixed.size() < bytes) mixed += repeated(mixed.size() % 2 ? " " : "x9", random() % 5000);
  return {{"one letter", std::string(bytes, 'a')},
          {"spaces", std::string(bytes, ' ')},
          {"spaces and a word", std::string(bytes, ' ') + "x"},
          {"blank lines", repeated("\n ", bytes)},
          {"digits", std::string(bytes, '1')},
          {"apostrophes", std::string(bytes, '\'')},
          {"random letters", letters},
          {"mixed runs", mixed},
          {"Chinese", repeated("\u4E2D\u6587", bytes)},
          {"ill-formed", std::string(bytes, '\xFF')}};
}

// Quadratic work would take hours here; the bound leaves room for sanitizers and busy machines.
TEST(Tokenizer, AMillionBytesOfAnythingTakeNoTimeToSpeakOf) {
  for (const LongText& c : long_texts(1'000'000)) {
    std::clock_t begin = std::clock();
    Ids ids = encode(c.text);
    EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, 60) << c.name;
    EXPECT_EQ(Tokenizer::gpt2()->decode(ids), replace_ill_formed(c.text)) << c.name;
  }
}

}  // namespace
}  // namespace chorus::tokenizer

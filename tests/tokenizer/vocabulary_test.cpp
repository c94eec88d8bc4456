#include "tokenizer/vocabulary.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <array>
#include <cstdio>
#include <string>
#include <utility>

#include "core/assets.h"
#include "tokenizer/byte_level_bpe.h"
#include "tokenizer/merges_file.h"

namespace chorus::tokenizer {
namespace {

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  std::string hex;
  for (unsigned char byte : digest) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", byte);
    hex += digits.data();
  }
  return hex;
}

std::shared_ptr<const ByteLevelBpe> gpt2() {
  return ByteLevelBpe::gpt2(embedded_vocab_bpe()).assume_value();
}

TEST(Vocabulary, TheEmbeddedMergesAreOpenAIs) {
  EXPECT_EQ(sha256(embedded_vocab_bpe().text()),
            "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5");
}

TEST(Vocabulary, BytesHaveGpt2sIds) {
  auto tokenizer = gpt2();
  const Vocabulary& vocabulary = tokenizer->vocabulary();
  std::int32_t id = 0;
  auto expect_range = [&](int first, int last) {
    for (int byte = first; byte <= last; ++byte, ++id) {
      EXPECT_EQ(vocabulary.token_of_byte(static_cast<std::uint8_t>(byte)), id);
      EXPECT_EQ(vocabulary.bytes_of(id), std::string(1, static_cast<char>(byte)));
    }
  };
  expect_range('!', '~');
  expect_range(0xA1, 0xAC);
  expect_range(0xAE, 0xFF);
  expect_range(0x00, 0x20);
  expect_range(0x7F, 0xA0);
  expect_range(0xAD, 0xAD);
  EXPECT_EQ(id, 256);
}

TEST(Vocabulary, MergesHaveGpt2sIds) {
  auto tokenizer = gpt2();
  const Vocabulary& vocabulary = tokenizer->vocabulary();
  EXPECT_EQ(vocabulary.bytes_of(256), " t");
  EXPECT_EQ(vocabulary.bytes_of(50255), " gazed");
  EXPECT_TRUE(vocabulary.has(50256));
  EXPECT_FALSE(vocabulary.has(50257));
  EXPECT_FALSE(vocabulary.has(-1));
  EXPECT_EQ(vocabulary.token_of(" world"), 995);
  EXPECT_EQ(vocabulary.token_of("no token"), kNoToken);
  std::int32_t space = vocabulary.token_of(" ");
  std::int32_t t = vocabulary.token_of("t");
  EXPECT_EQ(vocabulary.merged(space, t).token, 256);
  EXPECT_EQ(vocabulary.merged(space, t).rank, 0u);
  EXPECT_EQ(vocabulary.merged(t, space).token, kNoToken);
  EXPECT_EQ(vocabulary.text_of(995), "\u0120world");
}

std::size_t count_merges(std::string_view text) {
  auto merges = parse_merges(copy_bytes("merges", text));
  EXPECT_TRUE(merges) << text;
  return merges ? merges.assume_value().size() : 0;
}

TEST(MergesFile, AVersionAndEmptyLinesAtTheEndAreNoMerges) {
  EXPECT_EQ(count_merges(""), 0u);
  EXPECT_EQ(count_merges("#version: 0.2\n"), 0u);
  EXPECT_EQ(count_merges("#version: 0.2\na b\nab c"), 2u);
  EXPECT_EQ(count_merges("a b\nab c\n\n\n"), 2u);
  EXPECT_EQ(count_merges("#version: 0.2\r\na b\r\n# c\r\n"), 2u);
}

TEST(MergesFile, AWrongLineIsNamed) {
  const std::pair<const char*, int> kFiles[] = {{"#version: 0.2\na b\n\nc d\n", 3},
                                                {"#version: 0.2\nab\n", 2},
                                                {"a b\na \nb c", 2},
                                                {" b\n", 1},
                                                {"#version: 0.2\na b c\n", 2},
                                                {"a b\n#version: 0.2 of this\n", 2}};
  for (const auto& [text, line] : kFiles) {
    auto merges = parse_merges(copy_bytes("merges", text));
    ASSERT_FALSE(merges) << text;
    EXPECT_EQ(merges.assume_error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(merges.assume_error().message, "merges: line " + std::to_string(line) +
                                                 ": expected two tokens with one space between");
  }
}

TEST(Vocabulary, RefusesWhatContradictsItself) {
  auto message = [](const std::vector<TokenText>& tokens, const std::vector<MergeTexts>& merges) {
    auto made = Vocabulary::make(tokens, merges);
    return made ? "" : made.assume_error().message;
  };
  EXPECT_EQ(message({{0, "a"}, {1, "b"}, {2, "ab"}}, {{"a", "b"}}), "");
  EXPECT_EQ(message({{0, "a"}, {1, "b"}}, {{"a", "b"}}),
            "merge 1, 'a' with 'b': 'ab' is not in the vocabulary");
  EXPECT_EQ(message({{0, "a"}, {2, "ab"}}, {{"a", "b"}}),
            "merge 1, 'a' with 'b': 'b' is not in the vocabulary");
  EXPECT_EQ(message({{0, "a"}, {0, "b"}}, {}), "tokens 'a' and 'b' have the same id, 0");
  EXPECT_EQ(message({{0, "a"}, {1, "a"}}, {}), "token 'a' stands twice");
  EXPECT_EQ(message({{-1, "a"}}, {}),
            "token 'a' has the id -1; expected one from 0 on, near the others");
  EXPECT_EQ(message({{INT32_MAX, "a"}}, {}),
            "token 'a' has the id 2147483647; expected one from 0 on, near the others");
}

TEST(Vocabulary, OfAPairThatStandsTwiceTheLaterRankCounts) {
  auto made = Vocabulary::make({{0, "a"}, {1, "b"}, {2, "ab"}, {3, "ba"}},
                               {{"a", "b"}, {"b", "a"}, {"a", "b"}});
  ASSERT_TRUE(made);
  EXPECT_EQ(made.assume_value().merged(0, 1).rank, 2u);
  EXPECT_EQ(made.assume_value().merges().size(), 2u);
}

TEST(Vocabulary, GPT2sNeedsItsMerges) {
  auto made = ByteLevelBpe::gpt2(copy_bytes("merges", "#version: 0.2\n\u0120 t\n"));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.assume_error().message, "merges: expected 50000 merges, found 1");
}

}  // namespace
}  // namespace chorus::tokenizer

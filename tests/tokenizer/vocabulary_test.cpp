#include "tokenizer/vocabulary.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <array>
#include <cstdio>
#include <string>
#include <utility>

#include "core/assets.h"

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

Vocabulary gpt2() {
  Result<Vocabulary> vocabulary = Vocabulary::parse(embedded_vocab_bpe());
  EXPECT_TRUE(vocabulary);
  return std::move(vocabulary.assume_value());
}

TEST(Vocabulary, TheEmbeddedMergesAreOpenAIs) {
  EXPECT_EQ(sha256(embedded_vocab_bpe().text()),
            "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5");
}

TEST(Vocabulary, BytesHaveGpt2sIds) {
  Vocabulary vocabulary = gpt2();
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
  Vocabulary vocabulary = gpt2();
  EXPECT_EQ(vocabulary.bytes_of(256), " t");
  EXPECT_EQ(vocabulary.bytes_of(50255), " gazed");
  EXPECT_EQ(vocabulary.bytes_of(50256), "");
  EXPECT_EQ(vocabulary.bytes_of(-1), "");
  EXPECT_EQ(vocabulary.token_of(" world"), 995);
  EXPECT_EQ(vocabulary.token_of("no token"), kNoToken);
  std::int32_t space = vocabulary.token_of(" ");
  std::int32_t t = vocabulary.token_of("t");
  EXPECT_EQ(vocabulary.merged(space, t), 256);
  EXPECT_EQ(vocabulary.merged(t, space), kNoToken);
}

struct BadFile {
  const char* text;
  const char* message;
};

TEST(Vocabulary, ABadFileIsRefusedByLine) {
  const BadFile kFiles[] = {
      {"", "line 1: expected \"#version\""},
      {"a b\n", "line 1: expected \"#version\""},
      {"#version: 0.2\na b\n\nc d\n", "line 3: expected two tokens with one space between"},
      {"#version: 0.2\nab\n", "line 2: expected two tokens with one space between"},
      {"#version: 0.2\na \n", "line 2: expected two tokens with one space between"},
      {"#version: 0.2\n b\n", "line 2: expected two tokens with one space between"},
      {"#version: 0.2\na b c\n", "line 2: expected two tokens with one space between"},
      {"#version: 0.2\r\na b\r\n", "line 2: expected two tokens with one space between"},
      {"#version: 0.2\na \xC5\n", "line 2: expected two tokens with one space between"},
      {"#version: 0.2\na \xC2"
       "b\n",
       "line 2: expected two tokens with one space between"},
      {"#version: 0.2\na \xC2\xA0\n", "line 2: expected two tokens with one space between"},
      {"#version: 0.2\na \xE4\xB8\xAD\n", "line 2: expected two tokens with one space between"},
      {"#version: 0.2\na b", "line 3: expected 50000 merges, the file ends after 1"},
  };
  for (const BadFile& file : kFiles) {
    Result<Vocabulary> vocabulary = Vocabulary::parse(copy_bytes("merges", file.text));
    ASSERT_FALSE(vocabulary) << file.text;
    EXPECT_EQ(vocabulary.assume_error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(vocabulary.assume_error().message, std::string("merges: ") + file.message);
  }
}

// GPT-2's merges with the line `number` (from 1) put in place of that one.
Error error_with_line(std::size_t number, std::string_view line) {
  std::string text(embedded_vocab_bpe().text());
  std::size_t begin = 0;
  for (std::size_t i = 1; i < number; ++i) begin = text.find('\n', begin) + 1;
  text.replace(begin, text.find('\n', begin) - begin, line);
  Result<Vocabulary> vocabulary = Vocabulary::parse(copy_bytes("merges", text));
  EXPECT_FALSE(vocabulary);
  return vocabulary ? Error{} : std::move(vocabulary.assume_error());
}

TEST(Vocabulary, AMergeOfUnknownOrRepeatedTokensIsRefusedByLine) {
  EXPECT_EQ(error_with_line(30, "xx y").message,
            "merges: line 30: expected two tokens that are bytes or merges of earlier lines");
  EXPECT_EQ(error_with_line(30, "\u0120 t").message,
            "merges: line 30: expected a new token, found one of an earlier line");
  std::string more = std::string(embedded_vocab_bpe().text()) + "x y\n";
  Result<Vocabulary> vocabulary = Vocabulary::parse(copy_bytes("merges", more));
  ASSERT_FALSE(vocabulary);
  EXPECT_EQ(vocabulary.assume_error().message,
            "merges: line 50002: expected no more than 50000 merges");
}

}  // namespace
}  // namespace chorus::tokenizer

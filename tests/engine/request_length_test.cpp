#include "chorus/request_length.h"

#include <gtest/gtest.h>

#include <string>

namespace chorus {
namespace {

constexpr std::int32_t kBlock = 256;

std::string length_of(const LengthAsked& asked, std::size_t prompt, std::int32_t block = kBlock,
                      PastBlock past_block = PastBlock::kRefuse) {
  Result<std::int32_t> length = total_length(asked, prompt, past_block, block, "more");
  return length ? std::to_string(length.assume_value()) : length.assume_error().message;
}

TEST(RequestLength, IsTheDefaultOrWhatIsAskedFor) {
  EXPECT_EQ(length_of({}, 1), "100");
  EXPECT_EQ(length_of({}, 100), "100");
  EXPECT_EQ(length_of({}, 1, 32), "32");
  EXPECT_EQ(length_of({.max_length = 1}, 1), "1");
  EXPECT_EQ(length_of({.max_length = kBlock}, 1), "256");
  EXPECT_EQ(length_of({.max_new_tokens = 1}, 150), "151");
  EXPECT_EQ(length_of({.max_new_tokens = 106}, 150), "256");
}

TEST(RequestLength, NothingIsCutToTheBlock) {
  EXPECT_EQ(
      length_of({.max_length = 257}, 1),
      "max_length: expected 1 to 256 (the model's block size), found 257; past_block crop goes "
      "on past it");
  EXPECT_EQ(length_of({.max_new_tokens = 107}, 150),
            "max_new_tokens: expected 1 to 106 (of 256 tokens, the model's block size, the prompt "
            "takes 150), found 107; past_block crop goes on past it");
  EXPECT_EQ(length_of({.max_new_tokens = INT32_MAX}, 256).find("max_new_tokens: expected 1 to 0"),
            0u);
  EXPECT_EQ(
      length_of({}, 257),
      "prompt: expected at most 256 tokens (the model's block size), found 257; past_block crop "
      "goes on past it");
  EXPECT_EQ(length_of({.max_length = 0}, 1),
            "max_length: expected 1 to 256 (the model's block size), found 0");
  EXPECT_EQ(length_of({.max_new_tokens = -1}, 1).find("max_new_tokens: "), 0u);
}

TEST(RequestLength, ACroppedTextMayBeLongerThanTheBlock) {
  auto cropped = [](const LengthAsked& asked, std::size_t prompt) {
    return length_of(asked, prompt, kBlock, PastBlock::kCrop);
  };
  EXPECT_EQ(cropped({}, 1), "100");
  EXPECT_EQ(cropped({.max_length = 257}, 1), "257");
  EXPECT_EQ(cropped({.max_new_tokens = 10}, 300), "310");
  EXPECT_EQ(cropped({.max_length = kMostTokens + 1}, 1),
            "max_length: expected 1 to 1000000 (the most with past_block crop), found 1000001");
}

TEST(RequestLength, APromptThatIsTooLongSaysWhatHelps) {
  EXPECT_EQ(
      length_of({}, 101),
      "prompt: expected at most 100 tokens (the default length of prompt and result together), "
      "found 101; give more");
  EXPECT_EQ(length_of({.max_length = 5}, 6),
            "max_length: expected at least the prompt's 6 tokens, found 5");
  EXPECT_EQ(length_of({.max_length = 5, .max_new_tokens = 5}, 1),
            "max_new_tokens: expected max_length or max_new_tokens, found both");
}

}  // namespace
}  // namespace chorus

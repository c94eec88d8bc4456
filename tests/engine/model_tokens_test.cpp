#include "engine/model_tokens.h"

#include <gtest/gtest.h>

#include "tokenizer/byte_level_bpe.h"
#include "tokenizer/characters.h"

namespace chorus::engine {
namespace {

using tokenizer::kEndOfText;
using tokenizer::Tokenizer;

TEST(UsableIds, PaddingIsWhatNothingNamesInAMultipleOf64) {
  const Tokenizer* gpt2 = Tokenizer::gpt2().get();
  EXPECT_EQ(usable_ids(50257, gpt2), 50257);
  EXPECT_EQ(usable_ids(50304, gpt2), 50257);
  EXPECT_EQ(usable_ids(51200, gpt2), 50257);
  EXPECT_EQ(usable_ids(50260, gpt2), 50260) << "somebody added three and did not name them";
  EXPECT_EQ(usable_ids(128, gpt2), 128) << "fewer than the tokenizer names";
  EXPECT_EQ(usable_ids(50304, nullptr), 50304);
  auto letters = tokenizer::Characters::make({{0, "a"}, {70, "b"}}).assume_value();
  EXPECT_EQ(usable_ids(128, letters.get()), 71);
  EXPECT_EQ(usable_ids(100, letters.get()), 100);
}

checkpoint::Checkpoint with_eos(std::vector<std::int32_t> eos) {
  checkpoint::Checkpoint checkpoint;
  checkpoint.tokenizer = Tokenizer::gpt2();
  checkpoint.token_ids.eos = std::move(eos);
  return checkpoint;
}

TEST(ModelTokens, OnlyASpecialEndOfTextIsNoText) {
  ModelTokens tokens(with_eos({kEndOfText, 13}));
  EXPECT_EQ(tokens.text_of(kEndOfText), "");
  EXPECT_EQ(tokens.text_of(13), ".") << "a full stop that ends texts is text where they go on";
  EXPECT_TRUE(tokens.is_eos(13));
  EXPECT_FALSE(tokens.is_eos(14));
  EXPECT_EQ(tokens.text_of(50300), "<|id 50300|>");
  EXPECT_EQ(ModelTokens(with_eos({13})).text_of(kEndOfText), "<|endoftext|>");
  checkpoint::Checkpoint none;
  none.token_ids.eos = {5};
  EXPECT_EQ(ModelTokens(none).text_of(5), "<|id 5|>");
}

}  // namespace
}  // namespace chorus::engine

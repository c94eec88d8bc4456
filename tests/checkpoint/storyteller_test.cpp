#include <gtest/gtest.h>

#include "checkpoint/checkpoint.h"
#include "core/assets.h"

namespace chorus::checkpoint {
namespace {

TEST(Storyteller, TheEmbeddedModelOpensFromMemory) {
  auto opened = open(embedded_storyteller().value());
  ASSERT_TRUE(opened) << opened.assume_error().message;
  const Checkpoint& model = opened.assume_value();
  EXPECT_EQ(model.format, "safetensors");
  EXPECT_EQ(model.config.n_layer, 6);
  EXPECT_EQ(model.config.n_head, 4);
  EXPECT_EQ(model.config.n_embd, 128);
  EXPECT_EQ(model.config.n_inner, 512);
  EXPECT_EQ(model.config.block_size, 1024);
  EXPECT_EQ(model.config.vocab_size, 50304);
  EXPECT_TRUE(model.config.bias);
  EXPECT_TRUE(model.config.tie_word_embeddings);
  EXPECT_EQ(model.parameter_count(), 7759872);
  EXPECT_EQ(model.step, 4037);
  EXPECT_EQ(find_nonfinite(model), std::nullopt);
  for (const auto& [name, tensor] : model.tensors)
    EXPECT_EQ(tensor.dtype, NumberFormat::kBf16) << name;
}

}  // namespace
}  // namespace chorus::checkpoint

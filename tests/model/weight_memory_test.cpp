// What weights are said to take, beside what they take.

#include "model/weight_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/model.h"
#include "support/tiny_model.h"

namespace chorus::model {
namespace {

using testing::HasSubstr;

checkpoint::ModelConfig some_config() {
  return {.block_size = 64,
          .vocab_size = 512,
          .n_layer = 2,
          .n_head = 2,
          .n_embd = 128,
          .n_inner = 512,
          .tie_word_embeddings = false};
}

TEST(WeightMemory, IsWhatTheWeightsTake) {
  test::TinyModel tiny(some_config());
  ThreadTeam team(2);
  for (NumberFormat type : kWeightFormats) {
    auto model = Model::load(tiny.checkpoint(), type, team);
    ASSERT_TRUE(model);
    auto bytes = static_cast<double>(model.assume_value()->weights().bytes());
    EXPECT_NEAR(static_cast<double>(weight_bytes(tiny.checkpoint(), type)), bytes, 0.1 * bytes)
        << number_format_name(type);
  }
}

TEST(WeightMemory, OfAQuantisedCheckpointIsThatOfItsMatrices) {
  test::TinyModel tiny(some_config());
  ThreadTeam team(1);
  std::uint64_t expected = weight_bytes(tiny.checkpoint(), NumberFormat::kInt4);
  checkpoint::Checkpoint quantised = quantise(tiny.checkpoint(), NumberFormat::kInt4, team);
  EXPECT_EQ(weight_bytes(quantised, NumberFormat::kInt4), expected);
}

TEST(WeightMemory, ARefusalSaysWhatOtherTypesTake) {
  test::TinyModel tiny(some_config());
  MemoryPart part = weights_part(tiny.checkpoint(), NumberFormat::kF32);
  EXPECT_EQ(part.what, "the weights of tiny as f32");
  EXPECT_EQ(part.bytes, weight_bytes(tiny.checkpoint(), NumberFormat::kF32));
  Error error = with_smaller_types({ErrorCode::kOutOfMemory, "too much"}, tiny.checkpoint());
  EXPECT_EQ(error.message, "too much; the weights of tiny take 0.6 MB as int8 and 0.4 MB as int4");
  ThreadTeam team(1);
  checkpoint::Checkpoint quantised = quantise(tiny.checkpoint(), NumberFormat::kInt4, team);
  EXPECT_EQ(with_smaller_types({ErrorCode::kOutOfMemory, "too much"}, quantised).message,
            "too much");
}

TEST(WeightMemory, OfAStepIsWhatItsBuffersTake) {
  // 124M, 256 rows: the logits alone are 51.5 MB.
  checkpoint::ModelConfig config{.block_size = 1024,
                                 .vocab_size = 50304,
                                 .n_layer = 12,
                                 .n_head = 12,
                                 .n_embd = 768,
                                 .n_inner = 3072,
                                 .tie_word_embeddings = true};
  EXPECT_EQ(step_bytes(config, 256), 256u * 4 * (50304 + 3072 + 6 * 768));
  EXPECT_EQ(step_bytes(config, 0), 0u);
}

}  // namespace
}  // namespace chorus::model

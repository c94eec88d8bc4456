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

TEST(WeightMemory, MoreThanThereCanBeIsRefusedWithWhatOtherTypesTake) {
  test::TinyModel tiny(some_config());
  checkpoint::Checkpoint& checkpoint = tiny.checkpoint();
  std::uint64_t bytes = weight_bytes(checkpoint, NumberFormat::kF32);
  EXPECT_TRUE(check_memory(checkpoint, NumberFormat::kF32, bytes));
  EXPECT_TRUE(check_memory(checkpoint, NumberFormat::kF32, 0));  // not known
  auto refused = check_memory(checkpoint, NumberFormat::kF32, bytes - 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.assume_error().code, ErrorCode::kOutOfMemory);
  EXPECT_THAT(
      refused.assume_error().message,
      HasSubstr("tiny: the weights take 2.1 MB as f32, and this process may have 2.1 MB at most; "
                "as int8 they take 0.6 MB, as int4 0.4"));
  EXPECT_TRUE(check_memory(checkpoint, NumberFormat::kInt8, bytes - 1));
}

}  // namespace
}  // namespace chorus::model

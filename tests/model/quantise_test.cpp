// Quantised weights: near the original, the same from a file as made on the way, and views of the
// file's memory.

#include "model/quantise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "checkpoint/safetensors/write.h"
#include "model/model.h"
#include "support/scratch_folder.h"
#include "support/tiny_model.h"

namespace chorus::model {
namespace {

using checkpoint::Checkpoint;
using test::odd_config;
using test::ScratchFolder;
using test::TinyModel;

std::vector<float> logits_of(const Model& model, ThreadTeam& team) {
  std::vector<std::int32_t> ids = {3, 1, 4, 1, 5, 92, 65, 35};
  KvStore store(model.kv_layout(), 1);
  PageNumber page = 0;
  Chunk chunk{ids, 0, {&page, 1}, 0};
  Workspace workspace;
  model.forward({&chunk, 1}, store, workspace, team);
  return {workspace.logits.row(0), workspace.logits.row(ids.size())};
}

std::unique_ptr<const Model> load(const Checkpoint& checkpoint, NumberFormat type,
                                  ThreadTeam& team) {
  auto model = Model::load(checkpoint, type, team);
  EXPECT_TRUE(model) << model.assume_error().message;
  return std::move(model.assume_value());
}

double relative_error(const std::vector<float>& found, const std::vector<float>& expected) {
  double error = 0.0, total = 0.0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    error += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    total += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(error / total);
}

TEST(Quantise, LogitsStayNearTheOriginals) {
  ThreadTeam team(2);
  for (bool tied : {true, false}) {
    auto config = odd_config();
    config.tie_word_embeddings = tied;
    TinyModel tiny(config);
    auto exact = logits_of(*load(tiny.checkpoint(), NumberFormat::kF32, team), team);
    auto int8 = logits_of(*load(tiny.checkpoint(), NumberFormat::kInt8, team), team);
    auto int4 = logits_of(*load(tiny.checkpoint(), NumberFormat::kInt4, team), team);
    EXPECT_LT(relative_error(int8, exact), 0.03);
    EXPECT_LT(relative_error(int4, exact), 0.15);
    EXPECT_GT(relative_error(int4, exact), relative_error(int8, exact));
  }
}

TEST(Quantise, RowsOfTheEmbeddingComeBack) {
  ThreadTeam team(1);
  TinyModel tiny(odd_config());
  const checkpoint::Tensor& embedding = tiny.checkpoint().tensors.at("wte.weight");
  Checkpoint quantised = quantise(tiny.checkpoint(), NumberFormat::kInt8, team);
  PackedMatrix packed(quantised.quantised.at("wte.weight"), nullptr);
  std::vector<float> found(30), expected(30);
  for (std::size_t n : {0u, 1u, 31u, 32u, 130u}) {
    packed.read_row(n, found.data());
    read_row(embedding, n, {0, 30}, expected.data());
    for (std::size_t k = 0; k < 30; ++k) EXPECT_NEAR(found[k], expected[k], 0.006f) << n;
  }
}

TEST(Quantise, AFileHoldsWhatIsMadeOnTheWay) {
  ThreadTeam team(2), one(1);
  for (NumberFormat type : {NumberFormat::kInt8, NumberFormat::kInt4}) {
    ScratchFolder folder;
    TinyModel tiny(odd_config());
    auto expected = logits_of(*load(tiny.checkpoint(), type, team), team);
    Checkpoint quantised = quantise(tiny.checkpoint(), type, one);
    ASSERT_TRUE(checkpoint::write_safetensors(quantised, folder.file("out"), NumberFormat::kF32));
    std::unique_ptr<const Model> model;
    {
      auto opened = checkpoint::open(folder.file("out"));
      ASSERT_TRUE(opened) << opened.assume_error().message;
      model = load(opened.assume_value(), type, team);
    }  // the model keeps the mapped file
    EXPECT_EQ(logits_of(*model, team), expected);
  }
}

TEST(Quantise, AQuantisedCheckpointIsHeldAsItIs) {
  ThreadTeam team(1);
  TinyModel tiny(odd_config());
  Checkpoint quantised = quantise(tiny.checkpoint(), NumberFormat::kInt8, team);
  auto refused = Model::load(quantised, NumberFormat::kF32, team);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.assume_error().message,
            "tiny: holds int8 weights, which cannot be held as f32: leave the type out, or convert "
            "the original");
}

TEST(Quantise, ZerosTinyAndInfiniteWeightsHaveTheirPlace) {
  ThreadTeam team(1);
  TinyModel tiny(odd_config());
  auto& tensor = tiny.checkpoint().tensors.at("h.0.attn.c_proj.weight");
  auto* values = reinterpret_cast<float*>(const_cast<std::byte*>(tensor.data.data()));
  std::fill_n(values, 30, 0.0f);
  std::fill_n(values + 30, 30, 1e-39f);
  values[60 + 5] = std::numeric_limits<float>::infinity();
  Checkpoint quantised = quantise(tiny.checkpoint(), NumberFormat::kInt4, team);
  PackedMatrix packed(quantised.quantised.at("h.0.attn.c_proj.weight"), nullptr);
  std::vector<float> row(30);
  for (std::size_t n : {0u, 1u}) {
    packed.read_row(n, row.data());
    EXPECT_THAT(row, testing::Each(0.0f));
  }
  packed.read_row(2, row.data());
  EXPECT_THAT(row, testing::Each(testing::IsNan()));
  EXPECT_TRUE(checkpoint::find_nonfinite(quantised).has_value());
}

}  // namespace
}  // namespace chorus::model

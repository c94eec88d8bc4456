// The model against the textbook in double precision, and against itself: the same bits with any
// number of threads, in pieces of any size, beside any other sequence, with every instruction set.

#include "model/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>

#include "model/reference.h"
#include "support/tiny_model.h"

namespace chorus::model {
namespace {

using checkpoint::ModelConfig;
using test::odd_config;
using test::TinyModel;

// Pages of sequences, each of whose bytes is `before` until it is written. All bits set are NaN, in f32
// as in bf16: nothing unwritten may reach a result.
class Pages {
 public:
  explicit Pages(const Model& model, std::byte before = std::byte{0xff})
      : store_(model.kv_layout(), 1000), before_(before) {}

  // The table of one sequence's pages: of numbers that neither ascend nor lie together.
  std::vector<PageNumber> table(std::size_t positions) {
    std::vector<PageNumber> result(kernels::panel_count(positions));
    for (PageNumber& page : result) {
      page = (next_ += 700) %= 999;
      store_.allot(page);
      std::fill_n(store_.data(page), store_.layout().page_bytes(), before_);
    }
    return result;
  }
  KvStore& store() { return store_; }

 private:
  KvStore store_;
  std::byte before_;
  PageNumber next_ = 0;
};

std::vector<std::int32_t> some_ids(std::size_t count, std::int64_t vocabulary, unsigned seed = 7) {
  std::mt19937 generator(seed);
  std::vector<std::int32_t> ids(count);
  for (auto& id : ids)
    id = static_cast<std::int32_t>(generator() % static_cast<unsigned>(vocabulary));
  return ids;
}

std::unique_ptr<const Model> load(TinyModel& tiny, ThreadTeam& team,
                                  NumberFormat type = NumberFormat::kF32) {
  auto model = Model::load(tiny.checkpoint(), type, team);
  EXPECT_TRUE(model) << model.assume_error().message;
  return std::move(model.assume_value());
}

// The logits of every row of `ids`, run in pieces of the given size.
std::vector<float> run(const Model& model, ThreadTeam& team, const std::vector<std::int32_t>& ids,
                       std::size_t piece, std::byte unwritten = std::byte{0xff}) {
  Pages pages(model, unwritten);
  std::vector<PageNumber> table = pages.table(ids.size());
  Workspace workspace;
  std::vector<float> result;
  auto vocabulary = static_cast<std::size_t>(model.config().vocab_size);
  for (std::size_t begin = 0; begin < ids.size(); begin += piece) {
    std::size_t count = std::min(piece, ids.size() - begin);
    Chunk chunk{std::span(ids).subspan(begin, count), begin, table, 0};
    std::size_t before = result.size();
    result.resize(before + count * vocabulary);
    model.forward({&chunk, 1}, pages.store(), workspace, team,
                  [&](std::size_t row, std::span<float> logits, std::size_t) {
                    std::copy(logits.begin(), logits.end(),
                              result.data() + before + row * vocabulary);
                  });
  }
  return result;
}

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(a[i]), std::bit_cast<std::uint32_t>(b[i])) << i;
  }
}

std::vector<ModelConfig> configs() {
  std::vector<ModelConfig> result(6, odd_config());
  result[1].tie_word_embeddings = false;
  result[1].bias = false;
  result[2].activation = checkpoint::Activation::kGeluErf;
  result[2].scale_attn_weights = false;
  result[3].activation = checkpoint::Activation::kRelu;
  result[3].scale_attn_by_inverse_layer_idx = true;
  result[4].n_head = 1;
  result[4].n_embd = 64;
  result[4].n_inner = 256;
  result[4].layer_norm_epsilon = 1e-3;
  result[5].n_head = 4;  // head size 1
  result[5].n_embd = 4;
  result[5].n_inner = 1;
  return result;
}

TEST(Model, AgreesWithTheTextbookInDoublePrecision) {
  ThreadTeam team(2);
  for (const ModelConfig& config : configs()) {
    TinyModel tiny(config);
    auto model = load(tiny, team);
    auto ids = some_ids(45, config.vocab_size);
    std::vector<float> logits = run(*model, team, ids, ids.size());
    test::Matrix expected = test::Reference(tiny.checkpoint()).logits(ids);
    std::size_t i = 0;
    for (const auto& row : expected) {
      for (double value : row) ASSERT_NEAR(static_cast<double>(logits[i++]), value, 2e-5);
    }
  }
}

TEST(Model, Bf16WeightsAreTheRoundedOnesAndNothingElse) {
  ThreadTeam team(1);
  TinyModel tiny(odd_config());
  auto bf16 = load(tiny, team, NumberFormat::kBf16F32);
  TinyModel rounded(odd_config());  // the same numbers, matrices rounded to bf16 in the checkpoint
  for (auto& [name, tensor] : rounded.checkpoint().tensors) {
    if (tensor.shape.size() != 2 || name == "wpe.weight") continue;
    auto* values = reinterpret_cast<std::uint32_t*>(const_cast<std::byte*>(tensor.data.data()));
    for (std::int64_t i = 0; i < tensor.element_count(); ++i) {
      values[i] = (values[i] + 0x7fffu + ((values[i] >> 16) & 1u)) & 0xffff0000u;
    }
  }
  auto f32 = load(rounded, team);
  auto ids = some_ids(40, 131);
  expect_same_bits(run(*bf16, team, ids, 40), run(*f32, team, ids, 40));
}

// bf16's own arithmetic once more, by the textbook: in double precision, but with weights and
// activations rounded where the model rounds them. What is left is the rounding of f32 sums, and now
// and then an activation that these tip over to its neighbour.
TEST(Model, Bf16RoundsWeightsAndActivationsAndNothingElse) {
  ThreadTeam team(2);
  for (const ModelConfig& config : configs()) {
    TinyModel tiny(config);
    auto bf16 = load(tiny, team, NumberFormat::kBf16);
    auto ids = some_ids(45, config.vocab_size);
    std::vector<float> logits = run(*bf16, team, ids, ids.size());
    test::Matrix expected = test::Reference(tiny.checkpoint(), test::Rounding::kBf16).logits(ids);
    test::Matrix exact = test::Reference(tiny.checkpoint()).logits(ids);
    double error = 0.0, rounding = 0.0;
    std::size_t i = 0;
    for (std::size_t row = 0; row < expected.size(); ++row) {
      for (std::size_t n = 0; n < expected[row].size(); ++n) {
        error += std::pow(static_cast<double>(logits[i++]) - expected[row][n], 2);
        rounding += std::pow(exact[row][n] - expected[row][n], 2);
      }
    }
    EXPECT_LT(std::sqrt(error), 0.1 * std::sqrt(rounding)) << std::sqrt(rounding);
  }
}

class EveryType : public testing::TestWithParam<NumberFormat> {};

TEST_P(EveryType, TheBitsDoNotDependOnThreadsOrOnPieces) {
  for (const ModelConfig& config : configs()) {
    TinyModel tiny(config);
    ThreadTeam one(1);
    auto model = load(tiny, one, GetParam());
    auto ids = some_ids(static_cast<std::size_t>(config.block_size), config.vocab_size);
    std::vector<float> whole = run(*model, one, ids, ids.size());
    for (std::size_t piece : {1u, 2u, 5u, 31u, 32u, 33u, 64u}) {
      expect_same_bits(run(*model, one, ids, piece), whole);
    }
    for (std::size_t threads : {2u, 3u, 8u}) {
      ThreadTeam team(threads);
      expect_same_bits(run(*load(tiny, team, GetParam()), team, ids, ids.size()), whole);
      expect_same_bits(run(*model, team, ids, 7), whole);
    }
  }
}

// So the memory of pages need not be cleared, whoever had it before. As numbers the bytes are 0, 3.4e38,
// which overflows in any sum, -1.2e-38, whose products are -0, and NaN.
TEST_P(EveryType, TheBitsDoNotDependOnWhatIsInAPageBeforeItIsWritten) {
  for (const ModelConfig& config : configs()) {
    TinyModel tiny(config);
    ThreadTeam team(1);
    auto model = load(tiny, team, GetParam());
    auto ids = some_ids(static_cast<std::size_t>(config.block_size), config.vocab_size);
    for (std::size_t piece : {1u, 13u, 64u}) {
      std::vector<float> cleared = run(*model, team, ids, piece, std::byte{0});
      EXPECT_TRUE(std::ranges::all_of(cleared, [](float logit) { return std::isfinite(logit); }));
      for (std::byte before : {std::byte{0x7f}, std::byte{0x80}, std::byte{0xff}}) {
        expect_same_bits(run(*model, team, ids, piece, before), cleared);
      }
    }
  }
}

TEST_P(EveryType, TheBitsDoNotDependOnTheOtherSequencesOfAStep) {
  TinyModel tiny(odd_config());
  ThreadTeam team(2);
  auto model = load(tiny, team, GetParam());
  auto vocabulary = static_cast<std::size_t>(model->config().vocab_size);
  std::vector<std::vector<std::int32_t>> sequences = {some_ids(40, 131, 1), some_ids(3, 131, 2),
                                                      some_ids(70, 131, 3), some_ids(1, 131, 4)};
  Pages pages(*model);
  std::vector<std::vector<PageNumber>> tables;
  std::vector<Chunk> chunks;
  for (const auto& ids : sequences) tables.push_back(pages.table(ids.size()));
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    chunks.push_back({sequences[i], 0, tables[i], sequences[i].size() - 1});
  }
  Workspace workspace;
  model->forward(chunks, pages.store(), workspace, team);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    std::vector<float> alone = run(*model, team, sequences[i], 1000);
    alone.erase(alone.begin(), alone.end() - static_cast<std::ptrdiff_t>(vocabulary));
    const float* logits = workspace.logits.row(i);
    expect_same_bits({logits, logits + vocabulary}, alone);
  }
}

TEST_P(EveryType, TheBitsDoNotDependOnTheInstructionSet) {
  TinyModel tiny(odd_config());
  ThreadTeam team(1);
  auto ids = some_ids(60, 131);
  ::setenv("CHORUS_ISA", "scalar", 1);
  auto scalar = load(tiny, team, GetParam());
  ASSERT_STREQ(scalar->kernels().name, "scalar");
  std::vector<float> expected = run(*scalar, team, ids, 60);
  for (auto isa : {kernels::Isa::kAvx2, kernels::Isa::kAvx512}) {
    if (!kernels::is_supported(isa)) continue;
    ::setenv("CHORUS_ISA", isa_name(isa), 1);
    auto model = load(tiny, team, GetParam());
    ASSERT_STREQ(model->kernels().name, isa_name(isa));
    expect_same_bits(run(*model, team, ids, 60), expected);
  }
  ::unsetenv("CHORUS_ISA");
}

INSTANTIATE_TEST_SUITE_P(Model, EveryType, testing::ValuesIn(kWeightFormats),
                         [](const auto& instance) {
                           std::string name = number_format_name(instance.param);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(Model, ATransposedViewGivesTheSameWeights) {
  TinyModel tiny(odd_config());
  ThreadTeam team(1);
  auto ids = some_ids(20, 131);
  std::vector<float> expected = run(*load(tiny, team), team, ids, 20);
  for (auto& [name, tensor] : tiny.checkpoint().tensors) {
    if (tensor.shape.size() != 2) continue;
    auto rows = static_cast<std::size_t>(tensor.shape[0]);
    auto columns = static_cast<std::size_t>(tensor.shape[1]);
    auto values = std::make_shared<std::vector<float>>(rows * columns);
    auto contiguous = widen(tensor);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) {
        (*values)[c * rows + r] = contiguous[r * columns + c];
      }
    }
    tensor.strides = {1, tensor.shape[0]};
    tensor.data = std::as_bytes(std::span<const float>(*values));
    tiny.checkpoint().owners.push_back(values);
  }
  expect_same_bits(run(*load(tiny, team), team, ids, 20), expected);
}

#ifndef NDEBUG
TEST(ModelDeathTest, IdsPositionsAndPagesThatAreOutsideAreNoticed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  TinyModel tiny(odd_config());
  ThreadTeam team(1);
  auto model = load(tiny, team);
  Pages pages(*model);
  std::vector<PageNumber> table = pages.table(33);
  Workspace workspace;
  auto forward = [&](std::vector<std::int32_t> ids, std::size_t position) {
    Chunk chunk{ids, position, table, 0};
    model->forward({&chunk, 1}, pages.store(), workspace, team);
  };
  EXPECT_DEATH(forward({131}, 0), "is_within");
  EXPECT_DEATH(forward({-1}, 0), "is_within");
  EXPECT_DEATH(forward({1}, static_cast<std::size_t>(model->config().block_size)), "is_within");
  EXPECT_DEATH(forward({1}, 64), "pages_of");
  EXPECT_DEATH(forward({}, 0), "ids.empty");
}
#endif

}  // namespace
}  // namespace chorus::model

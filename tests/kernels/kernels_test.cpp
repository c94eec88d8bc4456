// Every kernel of every instruction set that this processor has, bit for bit against the scalar
// definition, over odd sizes, tails and misaligned inputs.

#include "kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

namespace chorus::kernels {
namespace {

constexpr std::size_t kMisalign = 1;  // floats: no vector load is ever aligned

struct MatmulCase {
  std::size_t rows, k, panels;
  bool bias, accumulate, bf16;
};

class KernelsTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!is_supported(GetParam())) GTEST_SKIP() << "this processor lacks " << isa_name(GetParam());
  }
  const Kernels& tested() const { return kernels_for(GetParam()); }
  const Kernels& scalar() const { return kernels_for(Isa::kScalar); }

  std::vector<float> random(std::size_t n, float scale = 1.0f) {
    std::normal_distribution<float> normal(0.0f, scale);
    std::vector<float> values(n);
    for (float& value : values) value = normal(generator_);
    return values;
  }
  std::size_t below(std::size_t limit) { return generator_() % limit; }

  // By panels in a row and by a table of panels.
  void expect_the_scalar_chain(const MatmulCase& c);

  std::mt19937 generator_{20261123};
};

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b,
                      const std::string& what) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(a[i]), std::bit_cast<std::uint32_t>(b[i]))
        << what << " differs at " << i << ": " << a[i] << " and " << b[i];
  }
}

TEST_P(KernelsTest, TableSaysWhichItIs) { EXPECT_STREQ(tested().name, isa_name(GetParam())); }

struct MatmulData {
  std::vector<float> x, w32, bias, out;
  std::vector<std::uint16_t> w16;
};

// The panels in a row or, with a `table`, each at its own place.
std::vector<float> run_matmul(const Kernels& kernels, const MatmulCase& c, MatmulData data,
                              bool table = false) {
  const void* weights = data.w32.data() + kMisalign;
  if (c.bf16) weights = data.w16.data() + kMisalign;
  MatmulArgs args{.x = data.x.data() + kMisalign,
                  .x_stride = c.k + 3,
                  .rows = c.rows,
                  .k = c.k,
                  .weights = weights,
                  .panel_stride = c.k * kPanelWidth + 7,
                  .panels = c.panels,
                  .bias = c.bias ? data.bias.data() + kMisalign : nullptr,
                  .accumulate = c.accumulate,
                  .out = data.out.data() + kMisalign,
                  .out_stride = c.panels * kPanelWidth + 5};
  std::vector<const std::byte*> places;
  for (std::size_t panel = 0; panel < c.panels; ++panel) {
    std::size_t element = panel * args.panel_stride;
    const void* place = c.bf16 ? static_cast<const void*>(data.w16.data() + element)
                               : static_cast<const void*>(data.w32.data() + element);
    places.push_back(static_cast<const std::byte*>(place));
  }
  if (table) {
    args.weights = nullptr;
    args.panel_table = places.data();
    args.panel_offset = kMisalign * (c.bf16 ? 2 : 4);
  }
  (c.bf16 ? kernels.matmul.bf16_f32 : kernels.matmul.f32)(args);
  return data.out;
}

void KernelsTest::expect_the_scalar_chain(const MatmulCase& c) {
  MatmulData data{.x = random(c.rows * (c.k + 3) + kMisalign),
                  .w32 = random(c.panels * (c.k * kPanelWidth + 7) + kMisalign),
                  .bias = random(c.panels * kPanelWidth + kMisalign),
                  .out = random(c.rows * (c.panels * kPanelWidth + 5) + kMisalign),
                  .w16 = {}};
  for (float weight : data.w32) {
    data.w16.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(weight) >> 16));
  }
  std::vector<float> expected = run_matmul(scalar(), c, data);
  std::string what = std::to_string(c.rows) + " rows, k " + std::to_string(c.k) + ", " +
                     std::to_string(c.panels) + (c.bf16 ? " bf16 panels" : " f32 panels");
  expect_same_bits(run_matmul(tested(), c, data), expected, what);
  expect_same_bits(run_matmul(tested(), c, data, true), expected, what + " by a table");
}

TEST_P(KernelsTest, MatmulEqualsTheScalarChain) {
  for (int round = 0; round < 150; ++round) {
    expect_the_scalar_chain({.rows = 1 + below(27),
                             .k = 1 + below(70),
                             .panels = 1 + below(7),
                             .bias = below(2) == 0,
                             .accumulate = below(4) == 0,
                             .bf16 = below(2) == 0});
  }
}

// More rows than one tile's that is as wide as a panel (12, or AVX2's 3) go through K in slices of 768.
TEST_P(KernelsTest, MatmulInChunksOfKEqualsTheScalarChain) {
  for (std::size_t k : {767u, 768u, 769u, 1536u, 1537u, 3071u, 3072u}) {
    for (std::size_t rows : {1u, 3u, 4u, 6u, 7u, 12u, 13u, 25u, 27u}) {
      for (bool bf16 : {false, true}) {
        expect_the_scalar_chain({.rows = rows,
                                 .k = k,
                                 .panels = 1,
                                 .bias = below(2) == 0,
                                 .accumulate = below(4) == 0,
                                 .bf16 = bf16});
        if (HasFatalFailure()) return;
      }
    }
  }
  for (std::size_t panels : {3u, 4u, 5u, 9u}) {
    for (bool bf16 : {false, true}) {
      expect_the_scalar_chain({.rows = 13,
                               .k = 769,
                               .panels = panels,
                               .bias = true,
                               .accumulate = false,
                               .bf16 = bf16});
    }
  }
}

TEST_P(KernelsTest, MatmulIsTheSameInPiecesOfK) {
  constexpr std::size_t kRows = 5, kWhole = 96, kPanels = 3;
  auto x = random(kRows * kWhole);
  auto weights = random(kPanels * kWhole * kPanelWidth);
  auto bias = random(kPanels * kPanelWidth);
  auto run = [&](const std::vector<std::size_t>& cuts) {
    std::vector<float> out(kRows * kPanels * kPanelWidth);
    std::size_t begin = 0;
    for (std::size_t end : cuts) {
      tested().matmul.f32({.x = x.data() + begin,
                           .x_stride = kWhole,
                           .rows = kRows,
                           .k = end - begin,
                           .weights = weights.data() + begin * kPanelWidth,
                           .panel_stride = kWhole * kPanelWidth,
                           .panels = kPanels,
                           .bias = bias.data(),
                           .accumulate = begin > 0,
                           .out = out.data(),
                           .out_stride = kPanels * kPanelWidth});
      begin = end;
    }
    return out;
  };
  expect_same_bits(run({kWhole}), run({1, 32, 33, 95, kWhole}), "matmul in pieces");
}

TEST_P(KernelsTest, ElementwiseKernelsEqualTheScalarOnes) {
  const std::vector<float> special = {0.0f,
                                      -0.0f,
                                      1e-40f,
                                      -1e-40f,
                                      1e30f,
                                      -1e30f,
                                      5.6568f,
                                      -5.6569f,
                                      1.41421354f,
                                      -1.41421354f,
                                      100.0f,
                                      -100.0f,
                                      std::numeric_limits<float>::infinity()};
  for (std::size_t n : {1u, 2u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u, 1000u}) {
    auto input = random(n + kMisalign, 4.0f);
    for (float value : special) input[kMisalign + below(n)] = value;
    auto other = random(n + kMisalign);
    auto apply = [&](const Kernels& kernels, int which) {
      auto values = input;
      float* x = values.data() + kMisalign;
      if (which == 0) kernels.activation.gelu_tanh(x, n);
      if (which == 1) kernels.activation.gelu_erf(x, n);
      if (which == 2) kernels.activation.relu(x, n);
      if (which == 3) kernels.activation.add(x, other.data() + kMisalign, n);
      return values;
    };
    for (int which = 0; which < 4; ++which) {
      expect_same_bits(apply(tested(), which), apply(scalar(), which),
                       "elementwise kernel " + std::to_string(which));
    }
  }
}

TEST_P(KernelsTest, ReductionsEqualTheScalarOnes) {
  for (std::size_t n :
       {1u, 2u, 7u, 8u, 9u, 15u, 16u, 17u, 24u, 25u, 31u, 48u, 768u, 1023u, 1024u, 1025u, 5001u}) {
    auto x = random(n + kMisalign, 3.0f);
    auto weight = random(n + kMisalign), bias = random(n + kMisalign);
    const float* in = x.data() + kMisalign;
    auto apply = [&](const Kernels& kernels, int which) {
      std::vector<float> out = x;
      float* to = out.data() + kMisalign;
      if (which == 0) {
        kernels.norm.layer_norm(in, weight.data() + kMisalign, bias.data() + kMisalign, 1e-5f, n,
                                to);
      }
      if (which == 1) kernels.norm.layer_norm(in, weight.data() + kMisalign, nullptr, 1e-5f, n, to);
      if (which == 2) kernels.activation.softmax(to, n, 0.125f);
      if (which == 3) kernels.activation.softmax(to, n, 30.0f);  // most results underflow
      if (which == 4) kernels.sampling.softmax(in, n, to);
      return out;
    };
    for (int which = 0; which < 5; ++which) {
      expect_same_bits(apply(tested(), which), apply(scalar(), which),
                       "reduction " + std::to_string(which) + " of " + std::to_string(n));
    }
    EXPECT_EQ(tested().sampling.max(in, n), scalar().sampling.max(in, n));
    EXPECT_EQ(tested().sampling.sum_exp(in, n, 3.5f), scalar().sampling.sum_exp(in, n, 3.5f)) << n;
    EXPECT_EQ(tested().sampling.sum_exp_gap(in, n, 3.5f),
              scalar().sampling.sum_exp_gap(in, n, 3.5f))
        << n;
  }
}

TEST_P(KernelsTest, FindOverStopsAtTheFirstElementOverTheThreshold) {
  for (std::size_t n : {1u, 7u, 16u, 31u, 64u, 65u, 200u, 1000u}) {
    auto x = random(n);
    for (float& value : x) value = std::min(value, 2.0f);
    for (std::size_t begin : {std::size_t{0}, n / 3, n - 1, n}) {
      EXPECT_EQ(tested().sampling.find_over(x.data(), begin, n, 2.0f), n) << n << " from " << begin;
      for (int round = 0; round < 20; ++round) {
        auto marked = x;
        for (std::size_t i = below(4); i > 0; --i) marked[below(n)] = 2.5f;
        EXPECT_EQ(tested().sampling.find_over(marked.data(), begin, n, 2.0f),
                  scalar().sampling.find_over(marked.data(), begin, n, 2.0f))
            << n << " from " << begin;
      }
    }
  }
  const float special[] = {-1.0f, std::numeric_limits<float>::quiet_NaN(), 3.0f};
  EXPECT_EQ(tested().sampling.find_over(special, 0, 3, 0.0f), 2u);
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, KernelsTest,
                         testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& instance) {
                           return std::string(isa_name(instance.param));
                         });

TEST(ChooseKernels, TheEnvironmentNamesTheTableAndAnUnknownNameIsAnError) {
  ::setenv("CHORUS_ISA", "scalar", 1);
  auto scalar = choose_kernels();
  ASSERT_TRUE(scalar);
  EXPECT_STREQ(scalar.assume_value()->name, "scalar");
  ::setenv("CHORUS_ISA", "sse9", 1);
  auto unknown = choose_kernels();
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.assume_error().message, "CHORUS_ISA=sse9: expected scalar, avx2 or avx512");
  ::unsetenv("CHORUS_ISA");
  ASSERT_TRUE(choose_kernels());
}

}  // namespace
}  // namespace chorus::kernels

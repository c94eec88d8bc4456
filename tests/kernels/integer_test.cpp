// The integer kernels of every instruction set that this processor has, with and without VNNI, bit
// for bit against the scalar definition: odd sizes, misaligned rows, extreme values, values that
// are not numbers.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace chorus::kernels {
namespace {

struct Variant {
  Isa isa;
  bool vnni;
};

class IntegerKernelsTest : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    auto [isa, vnni] = GetParam();
    if (!is_supported(isa) || (vnni && !has_vnni(isa))) {
      GTEST_SKIP() << "this processor lacks " << isa_name(isa) << (vnni ? " with VNNI" : "");
    }
  }
  const Kernels& tested() const { return kernels_for(GetParam().isa, GetParam().vnni); }
  const Kernels& scalar() const { return kernels_for(Isa::kScalar); }
  std::size_t below(std::size_t limit) { return generator_() % limit; }

  std::vector<float> random(std::size_t n, float scale = 1.0f) {
    std::normal_distribution<float> normal(0.0f, scale);
    std::vector<float> values(n);
    for (float& value : values) value = normal(generator_);
    return values;
  }

  std::mt19937 generator_{20261124};
};

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits(values.size());
  std::memcpy(bits.data(), values.data(), values.size() * sizeof(float));
  return bits;
}

std::vector<std::uint32_t> scale_bits(const std::vector<ActivationGroup>& groups) {
  std::vector<std::uint32_t> bits;
  for (const ActivationGroup& group : groups)
    bits.push_back(std::bit_cast<std::uint32_t>(group.scale));
  return bits;
}

struct Case {
  bool int4, bias, row_factor;
  std::size_t rows, groups, panels;

  std::int32_t offset() const { return int4 ? kInt4Offset : kInt8Offset; }
  std::size_t group_bytes() const { return int4 ? kInt4GroupBytes : kInt8GroupBytes; }
};

struct Product {
  std::vector<ActivationGroup> x;
  std::vector<std::uint8_t> weights;
  std::vector<std::uint16_t> scales;
  std::vector<float> bias, row_factor;
};

constexpr std::size_t kOffset = 1;  // elements: no vector load is ever aligned

std::vector<std::uint32_t> multiply(const Kernels& kernels, const Case& c, Product& product) {
  std::vector<float> out(c.rows * (c.panels * kPanelWidth + 5) + kOffset, -1.0f);
  IntegerMatmulArgs args{.x = product.x.data(),
                         .rows = c.rows,
                         .groups = c.groups,
                         .weights = product.weights.data() + kOffset,
                         .scales = product.scales.data() + kOffset,
                         .panels = c.panels,
                         .bias = c.bias ? product.bias.data() + kOffset : nullptr,
                         .row_factor = c.row_factor ? product.row_factor.data() : nullptr,
                         .out = out.data() + kOffset,
                         .out_stride = c.panels * kPanelWidth + 5};
  (c.int4 ? kernels.matmul.int4 : kernels.matmul.int8)(args);
  return bits_of(out);
}

TEST_P(IntegerKernelsTest, MatmulEqualsTheScalarChain) {
  for (int round = 0; round < 120; ++round) {
    Case c{.int4 = below(2) == 0,
           .bias = below(2) == 0,
           .row_factor = below(2) == 0,
           .rows = 1 + below(19),
           .groups = 1 + below(5),
           .panels = 1 + below(7)};
    std::size_t scales = c.panels * c.groups * kPanelWidth;
    Product product{.x = std::vector<ActivationGroup>(c.rows * c.groups),
                    .weights = std::vector<std::uint8_t>(c.panels * c.groups * c.group_bytes() + 1),
                    .scales = std::vector<std::uint16_t>(scales + kOffset),
                    .bias = random(c.panels * kPanelWidth + kOffset),
                    .row_factor = random(c.rows)};
    // Every byte that a file could hold, and the largest sums that there can be.
    bool extreme = below(3) == 0;
    for (auto& byte : product.weights) {
      byte = static_cast<std::uint8_t>(extreme ? (below(8) == 0 ? 255 : 0) : below(256));
    }
    for (auto& scale : product.scales) scale = static_cast<std::uint16_t>(0x3c00 + below(1024));
    for (ActivationGroup& group : product.x) {
      group.scale = random(1)[0];
      std::int32_t sum = 0;
      for (std::int8_t& value : group.values) {
        value = static_cast<std::int8_t>(extreme ? -127 : static_cast<int>(below(255)) - 127);
        sum += value;
      }
      group.start = -c.offset() * sum;
    }
    ASSERT_EQ(multiply(tested(), c, product), multiply(scalar(), c, product))
        << (c.int4 ? "int4" : "int8") << ", " << c.rows << " rows, " << c.groups << " groups, "
        << c.panels << " panels" << (extreme ? ", extreme values" : "");
  }
}

TEST_P(IntegerKernelsTest, QuantiseEqualsTheScalarProgram) {
  const float special[] = {0.0f, -0.0f, 1e-40f, 0x1p-101f, 0x1p-100f, -3e38f, 1e30f, 0.5f, -1.5f};
  for (int round = 0; round < 200; ++round) {
    std::int32_t offset = below(2) == 0 ? kInt8Offset : kInt4Offset;
    std::size_t k = 1 + below(200), groups = (k + kGroup - 1) / kGroup;
    auto x = random(k + kOffset, round % 5 == 0 ? 1e-31f : 3.0f);
    if (round % 3 == 0) x[kOffset + below(k)] = special[below(std::size(special))];
    if (round % 7 == 0) std::fill(x.begin(), x.end(), special[below(std::size(special))]);
    if (round % 11 == 0) x[kOffset + below(k)] = std::numeric_limits<float>::quiet_NaN();
    if (round % 13 == 0) x[kOffset + below(k)] = -std::numeric_limits<float>::infinity();
    if (round % 17 == 0) {  // ties: 127 / 127 is 1, so that halves are rounded as they stand
      for (float& value : x) value = static_cast<float>(below(200)) * 0.5f;
      x[kOffset] = 127.0f;
    }
    std::vector<ActivationGroup> ours(groups), theirs(groups);
    for (ActivationGroup& group : ours) std::fill(group.values, group.values + kGroup, 99);
    tested().matmul.quantise(x.data() + kOffset, k, offset, ours.data());
    scalar().matmul.quantise(x.data() + kOffset, k, offset, theirs.data());
    ASSERT_EQ(scale_bits(ours), scale_bits(theirs)) << k;
    for (std::size_t g = 0; g < groups; ++g) {
      ASSERT_TRUE(std::ranges::equal(ours[g].values, theirs[g].values)) << k << ", group " << g;
      ASSERT_EQ(ours[g].start, theirs[g].start) << k << ", group " << g;
    }
  }
}

TEST_P(IntegerKernelsTest, QuantisedValuesAreNearTheirs) {
  auto x = random(640, 2.0f);
  std::vector<ActivationGroup> groups(x.size() / kGroup);
  tested().matmul.quantise(x.data(), x.size(), kInt8Offset, groups.data());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < kGroup; ++i) {
      float value = static_cast<float>(groups[g].values[i]) * groups[g].scale;
      ASSERT_NEAR(value, x[g * kGroup + i], 0.501f * groups[g].scale);
      sum += groups[g].values[i];
    }
    ASSERT_EQ(groups[g].start, -kInt8Offset * sum);
  }
}

TEST_P(IntegerKernelsTest, AnInfinityMakesItsGroupNaNAndNoOther) {
  auto x = random(2 * kGroup);
  x[kGroup + 6] = std::numeric_limits<float>::infinity();
  ActivationGroup groups[2];
  tested().matmul.quantise(x.data(), x.size(), kInt8Offset, groups);
  EXPECT_GT(groups[0].scale, 0.0f);
  EXPECT_TRUE(std::isnan(groups[1].scale));
  EXPECT_EQ(groups[1].start, 0);
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, IntegerKernelsTest,
                         testing::Values(Variant{Isa::kScalar, false}, Variant{Isa::kAvx2, false},
                                         Variant{Isa::kAvx2, true}, Variant{Isa::kAvx512, false},
                                         Variant{Isa::kAvx512, true}),
                         [](const auto& instance) {
                           return std::string(isa_name(instance.param.isa)) +
                                  (instance.param.vnni ? "_vnni" : "");
                         });

}  // namespace
}  // namespace chorus::kernels

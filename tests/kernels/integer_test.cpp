// The integer kernels of every instruction set that this processor has, with and without VNNI, bit
// for bit against the scalar definition: odd sizes, misaligned rows, extreme values, values that
// are not numbers.

#include <gtest/gtest.h>

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

struct Rows {
  std::vector<std::int8_t> values;
  std::vector<float> scales;
  std::vector<std::int32_t> sums;

  Rows(std::size_t rows, std::size_t groups, std::size_t group)
      : values(rows * groups * group), scales(rows * groups), sums(rows * groups) {}
  QuantisedRows view() { return {values.data(), scales.data(), sums.data()}; }
};

struct Case {
  bool int4, bias, row_factor;
  std::size_t rows, groups, panels;

  std::size_t group() const { return int4 ? kInt4Group : kInt8Group; }
  std::size_t group_bytes() const { return int4 ? kInt4GroupBytes : kInt8GroupBytes; }
};

struct Product {
  Rows x;
  std::vector<std::uint8_t> weights;
  std::vector<std::uint16_t> scales;
  std::vector<float> bias, row_factor;
};

constexpr std::size_t kMisalign = 1;  // elements: no vector load is ever aligned

std::vector<std::uint32_t> multiply(const Kernels& kernels, const Case& c, Product& product) {
  std::vector<float> out(c.rows * (c.panels * kPanelWidth + 5) + kMisalign, -1.0f);
  IntegerMatmulArgs args{.x = product.x.view(),
                         .rows = c.rows,
                         .groups = c.groups,
                         .weights = product.weights.data() + kMisalign,
                         .scales = product.scales.data() + kMisalign,
                         .panels = c.panels,
                         .bias = c.bias ? product.bias.data() + kMisalign : nullptr,
                         .row_factor = c.row_factor ? product.row_factor.data() : nullptr,
                         .out = out.data() + kMisalign,
                         .out_stride = c.panels * kPanelWidth + 5};
  (c.int4 ? kernels.matmul_int4 : kernels.matmul_int8)(args);
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
    Product product{.x = Rows(c.rows, c.groups, c.group()),
                    .weights = std::vector<std::uint8_t>(c.panels * c.groups * c.group_bytes() + 1),
                    .scales = std::vector<std::uint16_t>(scales + kMisalign),
                    .bias = random(c.panels * kPanelWidth + kMisalign),
                    .row_factor = random(c.rows)};
    // Every byte that a file could hold, and the largest sums that there can be.
    bool extreme = below(3) == 0;
    for (auto& byte : product.weights) {
      byte = static_cast<std::uint8_t>(extreme ? (below(8) == 0 ? 255 : 0) : below(256));
    }
    for (auto& scale : product.scales) scale = static_cast<std::uint16_t>(0x3c00 + below(1024));
    product.x.scales = random(product.x.scales.size());
    for (auto& value : product.x.values) {
      value = static_cast<std::int8_t>(extreme ? -127 : static_cast<int>(below(255)) - 127);
    }
    for (std::size_t i = 0; i < product.x.values.size(); ++i) {
      product.x.sums[i / c.group()] += product.x.values[i];
    }
    ASSERT_EQ(multiply(tested(), c, product), multiply(scalar(), c, product))
        << (c.int4 ? "int4" : "int8") << ", " << c.rows << " rows, " << c.groups << " groups, "
        << c.panels << " panels" << (extreme ? ", extreme values" : "");
  }
}

TEST_P(IntegerKernelsTest, QuantiseEqualsTheScalarProgram) {
  const float special[] = {0.0f, -0.0f, 1e-40f, 0x1p-101f, 0x1p-100f, -3e38f, 1e30f, 0.5f, -1.5f};
  for (int round = 0; round < 200; ++round) {
    std::size_t group = below(2) == 0 ? kInt8Group : kInt4Group;
    std::size_t k = 1 + below(200), groups = (k + group - 1) / group;
    auto x = random(k + kMisalign, round % 5 == 0 ? 1e-31f : 3.0f);
    if (round % 3 == 0) x[kMisalign + below(k)] = special[below(std::size(special))];
    if (round % 7 == 0) std::fill(x.begin(), x.end(), special[below(std::size(special))]);
    if (round % 11 == 0) x[kMisalign + below(k)] = std::numeric_limits<float>::quiet_NaN();
    if (round % 13 == 0) x[kMisalign + below(k)] = -std::numeric_limits<float>::infinity();
    if (round % 17 == 0) {  // ties: 127 / 127 is 1, so that halves are rounded as they stand
      for (float& value : x) value = static_cast<float>(below(200)) * 0.5f;
      x[kMisalign] = 127.0f;
    }
    Rows ours(1, groups, group), theirs(1, groups, group);
    std::fill(ours.values.begin(), ours.values.end(), std::int8_t{99});
    tested().quantise(x.data() + kMisalign, k, group, ours.view());
    scalar().quantise(x.data() + kMisalign, k, group, theirs.view());
    ASSERT_EQ(ours.values, theirs.values) << k;
    ASSERT_EQ(bits_of(ours.scales), bits_of(theirs.scales)) << k;
    ASSERT_EQ(ours.sums, theirs.sums) << k;
  }
}

TEST_P(IntegerKernelsTest, QuantisedValuesAreNearTheirs) {
  auto x = random(10 * kInt8Group, 2.0f);
  Rows rows(1, 10, kInt8Group);
  tested().quantise(x.data(), x.size(), kInt8Group, rows.view());
  for (std::size_t i = 0; i < x.size(); ++i) {
    float scale = rows.scales[i / kInt8Group];
    ASSERT_NEAR(static_cast<float>(rows.values[i]) * scale, x[i], 0.501f * scale);
  }
}

TEST_P(IntegerKernelsTest, AnInfinityMakesItsGroupNaNAndNoOther) {
  auto x = random(2 * kInt8Group);
  x[kInt8Group + 6] = std::numeric_limits<float>::infinity();
  Rows rows(1, 2, kInt8Group);
  tested().quantise(x.data(), x.size(), kInt8Group, rows.view());
  EXPECT_GT(rows.scales[0], 0.0f);
  EXPECT_TRUE(std::isnan(rows.scales[1]));
  EXPECT_EQ(rows.sums[1], 0);
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

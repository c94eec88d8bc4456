// The integer kernels of every instruction set that this processor has, with and without VNNI, and
// with AMX or its emulation, bit for bit against the scalar definition: odd sizes, misaligned rows,
// extreme values, values that are not numbers.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "kernels/amx.h"
#include "kernels/kernels.h"
#include "support/amx_emulator.h"
#include "support/before_nothing.h"

namespace chorus::kernels {
namespace {

enum class Extension { kNone, kVnni, kAmx };

struct Variant {
  Isa isa;
  Extension extension;

  std::string name() const {
    const char* suffix[] = {"", "_vnni", "_amx"};
    return std::string(isa_name(isa)) + suffix[static_cast<std::size_t>(extension)];
  }
};

struct Case {
  bool int4, bias, row_factor;
  std::size_t rows, groups, panels;

  std::int32_t offset() const { return int4 ? kInt4Offset : kInt8Offset; }
  std::size_t group_bytes() const { return int4 ? kInt4GroupBytes : kInt8GroupBytes; }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << (c.int4 ? "int4" : "int8") << ", " << c.rows << " rows, " << c.groups << " groups, "
             << c.panels << " panels" << (c.bias ? ", bias" : "")
             << (c.row_factor ? ", row factors" : "");
}

struct Product {
  std::vector<ActivationGroup> x;
  std::vector<std::uint8_t> weights;
  std::vector<std::uint16_t> scales;
  std::vector<float> bias, row_factor;
};

constexpr std::size_t kOffset = 1;  // elements: no vector load is ever aligned

class IntegerKernelsTest : public testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    auto [isa, extension] = GetParam();
    bool is_there = is_supported(isa);
    if (extension == Extension::kVnni) is_there = is_there && has_vnni(isa);
    if (extension == Extension::kAmx) is_there = start_amx();
    if (!is_there) GTEST_SKIP() << "this processor lacks " << GetParam().name();
  }
  const Kernels& tested() const {
    auto [isa, extension] = GetParam();
    return extension == Extension::kAmx ? kernels_with_amx()
                                        : kernels_for(isa, extension == Extension::kVnni);
  }
  const Kernels& scalar() const { return kernels_for(Isa::kScalar); }
  std::size_t below(std::size_t limit) { return generator_() % limit; }

  std::vector<float> random(std::size_t n, float scale = 1.0f) {
    std::normal_distribution<float> normal(0.0f, scale);
    std::vector<float> values(n);
    for (float& value : values) value = normal(generator_);
    return values;
  }

  Product random_product(const Case& c, bool extreme);

  std::mt19937 generator_{20261124};

 private:
#if defined(__x86_64__) && defined(__linux__)
  bool start_amx() {
    if (test::AmxEmulator::can_emulate()) emulator_.emplace();
    return amx().int8;
  }
  std::optional<test::AmxEmulator> emulator_;
#else
  bool start_amx() { return false; }
#endif
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

// Every byte that a file could hold, or the largest sums that there can be.
Product IntegerKernelsTest::random_product(const Case& c, bool extreme) {
  Product product{
      .x = std::vector<ActivationGroup>(c.rows * c.groups),
      .weights = std::vector<std::uint8_t>(c.panels * c.groups * c.group_bytes() + kOffset),
      .scales = std::vector<std::uint16_t>(c.panels * c.groups * kPanelWidth + kOffset),
      .bias = random(c.panels * kPanelWidth + kOffset),
      .row_factor = random(c.rows)};
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
  return product;
}

TEST_P(IntegerKernelsTest, MatmulEqualsTheScalarChain) {
  for (int round = 0; round < 120; ++round) {
    Case c{.int4 = below(2) == 0,
           .bias = below(2) == 0,
           .row_factor = below(2) == 0,
           .rows = 1 + below(19),
           .groups = 1 + below(5),
           .panels = 1 + below(7)};
    bool extreme = below(3) == 0;
    Product product = random_product(c, extreme);
    ASSERT_EQ(multiply(tested(), c, product), multiply(scalar(), c, product))
        << c << (extreme ? ", extreme values" : "");
  }
}

// Where kernels take rows in tiles: one full tile, one row more, several that do not divide.
TEST_P(IntegerKernelsTest, MatmulOfManyRowsEqualsTheScalarChain) {
  for (std::size_t rows : {9u, 14u, 16u, 17u, 31u, 32u, 33u, 50u, 100u}) {
    for (std::size_t groups : {2u, 3u, 6u, 24u}) {
      std::size_t panels = groups == 24 ? 1 + below(2) : 1 + below(9);
      if (rows * groups * panels > 4000) continue;
      Case c{.int4 = below(2) == 0,
             .bias = below(3) > 0,
             .row_factor = below(2) == 0,
             .rows = rows,
             .groups = groups,
             .panels = panels};
      Product product = random_product(c, false);
      if (below(2) == 0) {
        product.x[below(product.x.size())].scale = std::numeric_limits<float>::quiet_NaN();
      }
      ASSERT_EQ(multiply(tested(), c, product), multiply(scalar(), c, product)) << c;
    }
  }
}

// Kernels load ahead of their products, and must not beyond the end: behind each array there is no
// memory.
TEST_P(IntegerKernelsTest, MatmulTouchesNothingBehindItsArrays) {
  for (bool int4 : {false, true}) {
    for (std::size_t rows : {1u, 7u, 9u, 16u, 40u}) {
      for (std::size_t groups : {2u, 4u}) {
        Case c{.int4 = int4,
               .bias = true,
               .row_factor = true,
               .rows = rows,
               .groups = groups,
               .panels = 1 + below(5)};
        Product product = random_product(c, false);
        std::vector<std::uint32_t> expected = multiply(scalar(), c, product);
        test::BeforeNothing<ActivationGroup> x(product.x);
        test::BeforeNothing<std::uint8_t> weights(product.weights);
        test::BeforeNothing<std::uint16_t> scales(product.scales);
        test::BeforeNothing<float> bias(product.bias), row_factor(product.row_factor);
        std::size_t stride = c.panels * kPanelWidth;
        test::BeforeNothing<float> out(std::vector<float>(rows * stride));
        IntegerMatmulArgs args{.x = x.data(),
                               .rows = rows,
                               .groups = groups,
                               .weights = weights.data() + kOffset,
                               .scales = scales.data() + kOffset,
                               .panels = c.panels,
                               .bias = bias.data() + kOffset,
                               .row_factor = row_factor.data(),
                               .out = out.data(),
                               .out_stride = stride};
        (int4 ? tested().matmul.int4 : tested().matmul.int8)(args);
        for (std::size_t r = 0; r < rows; ++r) {
          for (std::size_t n = 0; n < stride; ++n) {
            ASSERT_EQ(std::bit_cast<std::uint32_t>(out.data()[r * stride + n]),
                      expected[kOffset + r * (stride + 5) + n])
                << c << ": row " << r << ", output " << n;
          }
        }
      }
    }
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
                         testing::Values(Variant{Isa::kScalar, Extension::kNone},
                                         Variant{Isa::kAvx2, Extension::kNone},
                                         Variant{Isa::kAvx2, Extension::kVnni},
                                         Variant{Isa::kAvx512, Extension::kNone},
                                         Variant{Isa::kAvx512, Extension::kVnni},
                                         Variant{Isa::kAvx512, Extension::kAmx}),
                         [](const auto& instance) { return instance.param.name(); });

#if defined(__x86_64__) && defined(__linux__)
// Or the tests above would say nothing of AMX.
class AmxIntegerKernelsTest : public IntegerKernelsTest {};

TEST_P(AmxIntegerKernelsTest, TilesAreForManyRowsAndPairsOfGroups) {
  if (!test::AmxEmulator::is_alive()) GTEST_SKIP() << "AMX is here: only its emulation is counted";
  for (bool int4 : {false, true}) {
    for (std::size_t rows : {8u, 9u, 40u}) {
      for (std::size_t groups : {3u, 4u}) {
        Case c{.int4 = int4,
               .bias = false,
               .row_factor = false,
               .rows = rows,
               .groups = groups,
               .panels = 3};
        Product product = random_product(c, false);
        std::size_t before = test::AmxEmulator::products();
        multiply(tested(), c, product);
        std::size_t tiles = rows < 9 || groups == 3 ? 0 : (rows + 15) / 16;
        EXPECT_EQ(test::AmxEmulator::products() - before, tiles * groups * 3 * 2) << c;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Emulated, AmxIntegerKernelsTest,
                         testing::Values(Variant{Isa::kAvx512, Extension::kAmx}),
                         [](const auto& instance) { return instance.param.name(); });
#endif

}  // namespace
}  // namespace chorus::kernels

// Products in bf16's own arithmetic: every instruction set bit for bit against the scalar definition,
// and that definition against what a processor does that takes everything subnormal for zero.

#include "kernels/bf16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/half.h"
#include "kernels/amx.h"
#include "kernels/kernels.h"
#include "support/amx_emulator.h"
#include "support/before_nothing.h"

namespace chorus::kernels {
namespace {

enum class Bf16Extension { kNone, kPairs, kAmx };

struct Bf16Variant {
  Isa isa;
  Bf16Extension extension;
};

std::string bf16_variant_name(const Bf16Variant& variant) {
  const char* suffix[] = {"", "_pairs", "_amx"};
  return std::string(isa_name(variant.isa)) + suffix[static_cast<std::size_t>(variant.extension)];
}

struct Bf16Product {
  std::size_t rows, k, panels;
  bool bias;
};

enum class Bf16Kind { kNetwork, kManySizes, kTiny, kHuge, kCancelling };
constexpr Bf16Kind kBf16Kinds[] = {Bf16Kind::kNetwork, Bf16Kind::kManySizes, Bf16Kind::kTiny,
                                   Bf16Kind::kHuge, Bf16Kind::kCancelling};

struct Bf16Data {
  std::vector<float> x;                // [rows][k]
  std::vector<std::uint16_t> weights;  // [panels], packed
  std::vector<float> bias;             // [panels][32]
};

float flushed(float value) { return std::fabs(value) < kBf16Zero ? 0.0f : value; }
float to_bf16(float value) { return flushed(bf16_to_f32(f32_to_bf16(value))); }

class Bf16Numbers {
 public:
  float number(Bf16Kind kind) {
    float normal = normal_(generator_);
    switch (kind) {
      case Bf16Kind::kNetwork:
        return normal;
      case Bf16Kind::kManySizes:
        return std::ldexp(normal, static_cast<int>(below(40)) - 20);
      case Bf16Kind::kTiny:  // on both sides of what counts as 0, and subnormal
        return std::ldexp(normal, below(8) == 0 ? -140 : -45 - static_cast<int>(below(8)));
      case Bf16Kind::kHuge:  // whose products overflow
        return std::ldexp(normal, 60 + static_cast<int>(below(6)));
      case Bf16Kind::kCancelling:  // few values, of both signs, just over the least
        return std::ldexp(
            static_cast<float>(below(2) == 0 ? 1 : -1) * (below(3) == 0 ? 129.f : 128.f),
            -57 + static_cast<int>(below(2)));
    }
    return 0.0f;
  }

  Bf16Data data(const Bf16Product& product, Bf16Kind kind) {
    std::size_t groups = group_count(product.k);
    Bf16Data data{.x = std::vector<float>(product.rows * product.k),
                  .weights = std::vector<std::uint16_t>(product.panels * bf16_panel_size(groups)),
                  .bias = std::vector<float>(product.panels * kPanelWidth)};
    for (float& value : data.x) value = number(kind);
    for (float& value : data.bias) value = flushed(number(kind));
    for (std::size_t panel = 0; panel < product.panels; ++panel) {
      for (std::size_t k = 0; k < product.k; ++k) {
        for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
          data.weights[panel * bf16_panel_size(groups) + bf16_place(k, lane)] =
              f32_to_bf16(to_bf16(number(kind)));
        }
      }
    }
    return data;
  }
  std::size_t below(std::size_t limit) { return generator_() % limit; }

 private:
  std::mt19937 generator_{20261126};
  std::normal_distribution<float> normal_;
};

constexpr float kBf16Untouched = 12345.0f;

// [rows][panels * 32 + 5], the last five untouched.
std::vector<float> multiply_bf16(const Bf16Kernels& kernels, const Bf16Product& product,
                                 const Bf16Data& data) {
  std::size_t groups = group_count(product.k);
  std::size_t row_bytes = kernels.row_bytes(groups);
  std::size_t stride = product.panels * kPanelWidth + 5;
  std::vector<std::byte> x(product.rows * row_bytes);
  for (std::size_t r = 0; r < product.rows; ++r) {
    kernels.round(data.x.data() + r * product.k, product.k, x.data() + r * row_bytes);
  }
  std::vector<float> out(product.rows * stride, kBf16Untouched);
  kernels.matmul({.x = x.data(),
                  .x_stride = row_bytes,
                  .rows = product.rows,
                  .groups = groups,
                  .weights = data.weights.data(),
                  .panels = product.panels,
                  .bias = product.bias ? data.bias.data() : nullptr,
                  .out = out.data(),
                  .out_stride = stride});
  return out;
}

std::uint32_t float_bits(float value) { return std::bit_cast<std::uint32_t>(value); }

// Of a NaN only that it is one: which, processors choose.
void expect_same_but_nan(const std::vector<float>& found, const std::vector<float>& expected,
                         const std::string& what) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(found[i]) && std::isnan(expected[i])) continue;
    ASSERT_EQ(float_bits(found[i]), float_bits(expected[i]))
        << what << " differs at " << i << ": " << found[i] << " and " << expected[i];
  }
}

std::string bf16_description(const Bf16Product& product, Bf16Kind kind) {
  return std::to_string(product.rows) + " rows, k " + std::to_string(product.k) + ", " +
         std::to_string(product.panels) + " panels, kind " + std::to_string(static_cast<int>(kind));
}

class Bf16KernelsTest : public testing::TestWithParam<Bf16Variant> {
 protected:
  void SetUp() override {
    auto [isa, extension] = GetParam();
    bool is_there = is_supported(isa);
    if (extension == Bf16Extension::kPairs) is_there = is_there && has_bf16_pairs(isa);
    if (extension == Bf16Extension::kAmx) is_there = start_amx();
    if (!is_there) GTEST_SKIP() << "this processor lacks " << bf16_variant_name(GetParam());
  }
  const Bf16Kernels& tested() const {
    auto [isa, extension] = GetParam();
    return extension == Bf16Extension::kAmx
               ? kernels_with_amx().matmul.bf16
               : bf16_kernels_for(isa, extension == Bf16Extension::kPairs);
  }
  const Bf16Kernels& scalar() const { return bf16_kernels_for(Isa::kScalar, false); }
  void expect_the_definition(const Bf16Product& product, Bf16Kind kind) {
    Bf16Data data = numbers_.data(product, kind);
    expect_same_but_nan(multiply_bf16(tested(), product, data),
                        multiply_bf16(scalar(), product, data), bf16_description(product, kind));
  }

  Bf16Numbers numbers_;

 private:
#if defined(__x86_64__) && defined(__linux__)
  bool start_amx() {
    if (test::AmxEmulator::can_emulate()) emulator_.emplace();
    return amx().bf16;
  }
  std::optional<test::AmxEmulator> emulator_;
#else
  bool start_amx() { return false; }
#endif
};

TEST_P(Bf16KernelsTest, ProductsEqualTheDefinition) {
  for (int round = 0; round < 200; ++round) {
    Bf16Product product{.rows = 1 + numbers_.below(27),
                        .k = 1 + numbers_.below(140),
                        .panels = 1 + numbers_.below(7),
                        .bias = numbers_.below(2) == 0};
    ASSERT_NO_FATAL_FAILURE(expect_the_definition(product, kBf16Kinds[round % 5]));
  }
}

// Every number of rows up to three tiles', and K on both sides of the blocks that many rows take.
TEST_P(Bf16KernelsTest, RowsAndBlocksOfKDoNotMatter) {
  for (std::size_t rows = 1; rows <= 19; ++rows) {
    for (std::size_t panels : {1u, 2u, 3u, 4u, 5u, 9u}) {
      ASSERT_NO_FATAL_FAILURE(expect_the_definition(
          {.rows = rows, .k = 64, .panels = panels, .bias = true}, kBf16Kinds[0]));
    }
  }
  for (std::size_t k : {31u, 32u, 33u, 255u, 256u, 257u, 512u, 543u, 768u, 3072u}) {
    for (std::size_t rows : {1u, 3u, 6u, 7u, 13u, 25u}) {
      ASSERT_NO_FATAL_FAILURE(expect_the_definition(
          {.rows = rows, .k = k, .panels = 1, .bias = k % 2 == 0}, kBf16Kinds[rows % 5]));
    }
  }
}

// Where kernels take rows in tiles: full ones, one row more, several that do not divide; and K in blocks.
TEST_P(Bf16KernelsTest, ManyRowsEqualTheDefinition) {
  for (std::size_t rows : {9u, 14u, 16u, 17u, 31u, 32u, 33u, 48u, 49u, 50u, 64u, 65u, 100u}) {
    for (std::size_t groups : {1u, 2u, 3u, 6u, 8u, 9u, 24u, 25u, 49u}) {
      std::size_t panels = groups >= 24 ? 1 + numbers_.below(2) : 1 + numbers_.below(9);
      if (rows * groups * panels > 2500) continue;
      Bf16Product product{.rows = rows,
                          .k = groups * kGroup - numbers_.below(3),
                          .panels = panels,
                          .bias = numbers_.below(3) > 0};
      ASSERT_NO_FATAL_FAILURE(expect_the_definition(product, kBf16Kinds[numbers_.below(5)]));
    }
  }
}

// Few rows of a long K: what is widened for them has its bound.
TEST_P(Bf16KernelsTest, FewRowsMayBeOfAnyLength) {
  for (std::size_t rows : {1u, 4u}) {
    for (std::size_t groups : {128u, 129u, 512u, 513u}) {
      ASSERT_NO_FATAL_FAILURE(expect_the_definition(
          {.rows = rows, .k = groups * kGroup, .panels = 1, .bias = true}, Bf16Kind::kNetwork));
    }
  }
}

// Kernels load ahead of their products, and must not beyond the end: behind each array there is no
// memory, and rows lie as far apart as they need to and no further.
TEST_P(Bf16KernelsTest, ProductsTouchNothingBehindTheirArrays) {
  for (std::size_t rows : {1u, 4u, 5u, 15u, 16u, 17u, 32u, 40u, 50u}) {
    for (std::size_t groups : {1u, 2u, 9u}) {
      Bf16Product product{
          .rows = rows, .k = groups * kGroup, .panels = 1 + numbers_.below(5), .bias = true};
      Bf16Data data = numbers_.data(product, Bf16Kind::kNetwork);
      std::size_t stride = product.panels * kPanelWidth;
      std::size_t row_bytes = groups * tested().row_group_bytes;
      test::BeforeNothing<std::byte> x(std::vector<std::byte>(rows * row_bytes));
      for (std::size_t r = 0; r < rows; ++r) {
        tested().round(data.x.data() + r * product.k, product.k, x.data() + r * row_bytes);
      }
      test::BeforeNothing<std::uint16_t> weights(data.weights);
      test::BeforeNothing<float> bias(data.bias);
      test::BeforeNothing<float> out(std::vector<float>(rows * stride));
      tested().matmul({.x = x.data(),
                       .x_stride = row_bytes,
                       .rows = rows,
                       .groups = groups,
                       .weights = weights.data(),
                       .panels = product.panels,
                       .bias = bias.data(),
                       .out = out.data(),
                       .out_stride = stride});
      std::vector<float> expected = multiply_bf16(scalar(), product, data);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t n = 0; n < stride; ++n) {
          ASSERT_EQ(float_bits(out.data()[r * stride + n]),
                    float_bits(expected[r * (stride + 5) + n]))
              << bf16_description(product, Bf16Kind::kNetwork) << ": row " << r << ", output " << n;
        }
      }
    }
  }
}

TEST_P(Bf16KernelsTest, ARowIsTheSameAmongAnyOthers) {
  Bf16Product many{.rows = 53, .k = 100, .panels = 3, .bias = true};
  Bf16Data data = numbers_.data(many, Bf16Kind::kNetwork);
  std::vector<float> together = multiply_bf16(tested(), many, data);
  for (std::size_t row = 0; row < many.rows; ++row) {
    Bf16Data one = data;
    one.x.assign(data.x.begin() + static_cast<std::ptrdiff_t>(row * many.k),
                 data.x.begin() + static_cast<std::ptrdiff_t>((row + 1) * many.k));
    std::vector<float> alone = multiply_bf16(tested(), {1, many.k, many.panels, true}, one);
    auto begin = together.begin() + static_cast<std::ptrdiff_t>(row * alone.size());
    expect_same_but_nan({begin, begin + static_cast<std::ptrdiff_t>(alone.size())}, alone,
                        "row " + std::to_string(row));
  }
}

// By a product with the identity, since what a row becomes is each kernel's own.
TEST_P(Bf16KernelsTest, ActivationsAreRoundedToNearestAndTheLeastAreZero) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {0.0f,
                               -0.0f,
                               1.0f,
                               -3.3895e38f,                        // the largest bf16
                               std::nextafter(1.00390625f, 1.0f),  // just under half way: down
                               1.00390625f,                        // half way: to even, down
                               std::nextafter(1.00390625f, 2.0f),
                               1.01171875f,  // half way: to even, up
                               0x1p-50f,
                               -0x1p-50f,
                               std::nextafter(0x1p-50f, 0.0f),  // becomes 2^-50 and stays
                               0x1.fep-51f,                     // the largest bf16 under 2^-50
                               -0x1.fep-51f,
                               0x1p-126f,
                               1e-42f};
  while (values.size() < 5 * kGroup - 3)
    values.push_back(numbers_.number(kBf16Kinds[values.size() % 5]));
  std::size_t k = values.size(), panels = panel_count(k), groups = group_count(k);
  Bf16Data data{.x = values,
                .weights = std::vector<std::uint16_t>(panels * bf16_panel_size(groups)),
                .bias = {}};
  for (std::size_t i = 0; i < k; ++i) {
    data.weights[i / kPanelWidth * bf16_panel_size(groups) + bf16_place(i, i % kPanelWidth)] =
        0x3f80;
  }
  std::vector<float> out = multiply_bf16(tested(), {1, k, panels, false}, data);
  for (std::size_t i = 0; i < k; ++i) {
    EXPECT_EQ(float_bits(out[i]), float_bits(to_bf16(values[i]) + 0.0f)) << values[i];
  }
  for (float wrong : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN(),
                      std::bit_cast<float>(0x7fffffffu), std::bit_cast<float>(0xff800001u),
                      std::numeric_limits<float>::max()}) {
    data.x[40] = wrong;
    float found = multiply_bf16(tested(), {1, k, panels, false}, data)[40];
    EXPECT_EQ(std::isnan(found), std::isnan(wrong)) << wrong;
    EXPECT_TRUE(std::isnan(wrong) || found == std::copysign(infinity, wrong)) << found;
    EXPECT_TRUE(
        std::isnan(multiply_bf16(tested(), {1, k, panels, false}, data)[41]));  // 0 * infinity
  }
}

INSTANTIATE_TEST_SUITE_P(EveryVariant, Bf16KernelsTest,
                         testing::Values(Bf16Variant{Isa::kScalar, Bf16Extension::kNone},
                                         Bf16Variant{Isa::kAvx2, Bf16Extension::kNone},
                                         Bf16Variant{Isa::kAvx512, Bf16Extension::kNone},
                                         Bf16Variant{Isa::kAvx512, Bf16Extension::kPairs},
                                         Bf16Variant{Isa::kAvx512, Bf16Extension::kAmx}),
                         [](const auto& instance) { return bf16_variant_name(instance.param); });

#if defined(__x86_64__) && defined(__linux__)
// Or the tests above would say nothing of AMX.
class AmxBf16KernelsTest : public Bf16KernelsTest {};

TEST_P(AmxBf16KernelsTest, TilesAreForFiveRowsAndMore) {
  if (!test::AmxEmulator::is_alive()) GTEST_SKIP() << "AMX is here: only its emulation is counted";
  for (std::size_t rows : {4u, 5u, 16u, 17u, 32u, 33u, 49u, 100u}) {
    for (std::size_t groups : {1u, 9u}) {
      Bf16Product product{.rows = rows, .k = groups * kGroup, .panels = 3, .bias = true};
      Bf16Data data = numbers_.data(product, Bf16Kind::kNetwork);
      std::size_t before = test::AmxEmulator::products();
      multiply_bf16(tested(), product, data);
      // Four for 32 rows and a panel, and four for 16 rows and two panels, or one.
      std::size_t twos = rows / 32 + (rows % 32 > 16 ? 1 : 0);
      std::size_t ones = rows % 32 > 0 && rows % 32 <= 16 ? 1 : 0;
      std::size_t expected = rows < 5 ? 0 : 4 * groups * (3 * twos + 2 * ones);
      EXPECT_EQ(test::AmxEmulator::products() - before, expected) << rows << " rows";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Emulated, AmxBf16KernelsTest,
                         testing::Values(Bf16Variant{Isa::kAvx512, Bf16Extension::kAmx}),
                         [](const auto& instance) { return bf16_variant_name(instance.param); });
#endif

// --- the definition against tiles of bf16, which take all that is subnormal for zero ---

float daz(float value) { return std::fabs(value) < 0x1p-126f ? std::copysign(0.0f, value) : value; }

// TDPBF16PS of one output, as it was measured: inputs, sums and the start flushed at every step.
float tile_product(const float* x, const float* w, float start) {
  float even = 0.0f, odd = 0.0f;
  for (std::size_t k = 0; k < kGroup; k += 2) {
    even = daz(std::fma(daz(x[k]), daz(w[k]), even));
    odd = daz(std::fma(daz(x[k + 1]), daz(w[k + 1]), odd));
  }
  return daz(daz(start) + daz(even + odd));
}

// Whatever cancels, the least that is left is a multiple of 2^-114.
TEST(Bf16Definition, IsThatOfTilesWhichFlushSubnormals) {
  Bf16Numbers numbers;
  const Bf16Kernels& scalar = bf16_kernels_for(Isa::kScalar, false);
  for (int round = 0; round < 300; ++round) {
    Bf16Kind kind = kBf16Kinds[round % 5];
    Bf16Product product{.rows = 3, .k = 1 + numbers.below(100), .panels = 1, .bias = true};
    Bf16Data data = numbers.data(product, kind);
    std::vector<float> out = multiply_bf16(scalar, product, data);
    std::vector<float> expected(out.size(), kBf16Untouched);
    std::size_t padded_k = group_count(product.k) * kGroup;
    for (std::size_t r = 0; r < product.rows; ++r) {
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        std::vector<float> x(padded_k), w(padded_k);
        for (std::size_t k = 0; k < product.k; ++k) {
          x[k] = to_bf16(data.x[r * product.k + k]);
          w[k] = bf16_to_f32(data.weights[bf16_place(k, lane)]);
        }
        float sum = data.bias[lane];
        for (std::size_t k = 0; k < padded_k; k += kGroup) {
          sum = tile_product(&x[k], &w[k], sum);
        }
        expected[r * (kPanelWidth + 5) + lane] = sum;
      }
    }
    ASSERT_NO_FATAL_FAILURE(expect_same_but_nan(out, expected, bf16_description(product, kind)));
  }
}

// The same said by the processor: no sum ever raises "underflow", and none is subnormal.
TEST(Bf16Definition, NothingSubnormalArises) {
  Bf16Numbers numbers;
  const Bf16Kernels& scalar = bf16_kernels_for(Isa::kScalar, false);
  for (Bf16Kind kind : {Bf16Kind::kTiny, Bf16Kind::kCancelling, Bf16Kind::kManySizes}) {
    for (int round = 0; round < 20; ++round) {
      Bf16Product product{.rows = 4, .k = 96, .panels = 2, .bias = true};
      Bf16Data data = numbers.data(product, kind);
      for (float& value : data.x) value = to_bf16(value);
      std::feclearexcept(FE_ALL_EXCEPT);
      std::vector<float> out = multiply_bf16(scalar, product, data);
      EXPECT_EQ(std::fetestexcept(FE_UNDERFLOW), 0);
      for (float value : out) EXPECT_TRUE(value == 0.0f || std::isnormal(value)) << value;
    }
  }
}

}  // namespace
}  // namespace chorus::kernels

// Quantising a panel, bit for bit against a plain definition of one group of one output, over every kind
// of group, whole or not.

#include "model/quantise_panel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "core/half.h"
#include "kernels/panels.h"

namespace chorus::model {
namespace {

using kernels::kGroup;
using kernels::kPanelWidth;

struct DefinedGroup {
  std::uint16_t scale;
  std::int32_t integers[kGroup] = {};
};

float nearest_integer(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

float clamped(float x, float inverse, bool int8) {
  float rounded = nearest_integer(x * inverse), low = int8 ? -127.0f : -8.0f;
  rounded = rounded < low ? low : rounded;
  return rounded > (int8 ? 127.0f : 7.0f) ? (int8 ? 127.0f : 7.0f) : rounded;
}

float as_bf16(float x) { return bf16_to_f32(f32_to_bf16(x)); }

float defined_int4_scale(std::span<const float> group, float extreme) {
  float best = as_bf16(-extreme * 4.0f / 21.0f), least = std::numeric_limits<float>::infinity();
  for (float sign : {-1.0f, 1.0f}) {
    for (int quarters = 21; quarters <= 40; ++quarters) {
      float scale = as_bf16(sign * extreme * 4.0f / static_cast<float>(quarters));
      float sums[8] = {}, error = 0.0f;
      for (std::size_t i = 0; i < group.size(); ++i) {
        float difference = group[i] - clamped(group[i], 1.0f / scale, false) * scale;
        sums[i % 8] += difference * difference;
      }
      for (float sum : sums) error += sum;
      if (error < least) {
        best = scale;
        least = error;
      }
    }
  }
  return best;
}

DefinedGroup defined(std::span<const float> group, bool int8) {
  float extreme = 0.0f;
  for (float x : group) {
    if (!std::isfinite(x)) return {f32_to_bf16(std::numeric_limits<float>::quiet_NaN())};
    if (std::fabs(x) > std::fabs(extreme)) extreme = x;
  }
  if (std::fabs(extreme) < 0x1p-100f) return {0};
  float scale = int8 ? as_bf16(std::fabs(extreme) / 127.0f) : defined_int4_scale(group, extreme);
  DefinedGroup result{f32_to_bf16(scale)};
  for (std::size_t i = 0; i < group.size(); ++i) {
    result.integers[i] = static_cast<std::int32_t>(clamped(group[i], 1.0f / scale, int8));
  }
  return result;
}

class QuantisePanel : public testing::Test {
 protected:
  // Of `kind` in [0, kKinds).
  std::vector<float> group(int kind, std::size_t size) {
    std::normal_distribution<float> normal(0.0f, 0.02f);
    std::vector<float> values(size);
    for (float& value : values) value = normal(generator_);
    float& one = values[generator_() % size];
    float& other = values[generator_() % size];
    switch (kind) {
      case 1:
        std::ranges::fill(values, generator_() % 2 == 0 ? 0.0f : -0.0f);
        break;
      case 2:
        for (float& value : values) value *= 0x1p-100f;  // about half of them too small
        one = std::ldexp(1.0f, -101 + static_cast<int>(generator_() % 3));
        break;
      case 3:
        one = std::numeric_limits<float>::quiet_NaN();
        break;
      case 4:
        one = std::numeric_limits<float>::infinity() * (generator_() % 2 == 0 ? 1.0f : -1.0f);
        break;
      case 5:  // two of the largest magnitude
        one = 0.1f;
        other = -0.1f;
        break;
      case 6:  // steps and halves of them, which are ties
        for (float& value : values) value = static_cast<float>(generator_() % 29) * 0.5f - 7.0f;
        one = 7.0f;
        break;
      case 7:
        one = 50.0f;  // others are less than a step
        break;
      case 8:
        for (float& value : values) value *= 1e19f;
        break;
      case 9:
        for (float& value : values) value *= 1e22f;  // no square of an error is finite
        break;
      case 10:
        for (float& value : values) value = value > 0.0f ? 1e-42f : -0x1p-140f;
        other = 1e-20f;
        break;
      default:
        for (float& value : values)
          value *= std::ldexp(1.0f, static_cast<int>(generator_() % 40) - 20);
    }
    return values;
  }
  static constexpr int kKinds = 12;

  // A panel whose last group has `last` inputs.
  void expect_as_defined(NumberFormat type, std::size_t groups, std::size_t last) {
    bool int8 = type == NumberFormat::kInt8;
    std::size_t group_bytes = int8 ? kernels::kInt8GroupBytes : kernels::kInt4GroupBytes;
    std::vector<float> weights(kernels::panel_size(groups * kGroup));
    std::vector<std::vector<float>> made;
    for (std::size_t g = 0; g < groups; ++g) {
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        made.push_back(
            group(static_cast<int>(generator_() % kKinds), g + 1 < groups ? kGroup : last));
        for (std::size_t k = 0; k < made.back().size(); ++k) {
          weights[kernels::panel_place(g * kGroup + k, lane)] = made.back()[k];
        }
      }
    }
    std::vector<std::uint8_t> integers(groups * group_bytes, 0xa5);
    std::vector<std::uint16_t> scales(groups * kPanelWidth, 0xa5a5);
    quantise_panel(weights.data(), groups, type, integers.data(), scales.data());
    for (std::size_t g = 0; g < groups; ++g) {
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        DefinedGroup expected = defined(made[g * kPanelWidth + lane], int8);
        ASSERT_EQ(scales[kernels::scale_place(groups, 0, g, lane)], expected.scale)
            << "group " << g << ", output " << lane;
        for (std::size_t k = 0; k < kGroup; ++k) {
          const std::uint8_t* place = integers.data() + g * group_bytes;
          ASSERT_EQ(
              int8 ? kernels::int8_weight(place, k, lane) : kernels::int4_weight(place, k, lane),
              expected.integers[k])
              << "group " << g << ", output " << lane << ", input " << k;
        }
      }
    }
  }

 private:
  std::mt19937 generator_{20261126};
};

TEST_F(QuantisePanel, EveryKindOfGroupBecomesWhatIsDefined) {
  for (NumberFormat type : {NumberFormat::kInt8, NumberFormat::kInt4}) {
    for (std::size_t last : {32u, 1u, 2u, 7u, 8u, 9u, 24u, 31u}) {
      for (std::size_t groups : {1u, 2u, 5u}) {
        expect_as_defined(type, groups, last);
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace chorus::model

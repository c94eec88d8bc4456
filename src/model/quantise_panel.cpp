#include "model/quantise_panel.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/finite.h"
#include "core/half.h"
#include "kernels/panels.h"

namespace chorus::model {
namespace {

using kernels::kGroup;
using kernels::kPanelWidth;

// Loops over a panel's outputs are the innermost ones, of a fixed length, so that the compiler makes
// vector code of them. No fused multiply-add: where the processor lacks one, it is a slow function.

// Adding it rounds |x| < 2^22 to an integer, ties to even.
constexpr float kRoundToInteger = 0x1.8p23f;

// Of a number or of a vector of them. That the limits are no constants lets the compiler use the
// instructions for the larger and the smaller of two.
template <class Number>
Number quantised(Number x, Number inverse, Number low, Number high) {
  Number rounded = (x * inverse + kRoundToInteger) - kRoundToInteger;
  rounded = low > rounded ? low : rounded;
  return high < rounded ? high : rounded;
}

float rounded_to_bf16(float x) { return bf16_to_f32(f32_to_bf16(x)); }

// A number for each output of a panel.
template <class Number>
using Outputs = Number[kPanelWidth];

struct IntegerRange {
  float low, high;
};

// A group of a panel, of which outputs that are quantised have their weights and others zeros.
struct Group {
  IntegerRange range;
  Outputs<float> weights[kGroup];
  Outputs<float> extreme;  // the first weight of the largest magnitude; of others 1
  Outputs<bool> is_quantised;
  Outputs<std::uint16_t> other_scale;  // of those that are not
};

void read_group(const float* from, NumberFormat type, Group& group) {
  group.range =
      type == NumberFormat::kInt8 ? IntegerRange{-127.0f, 127.0f} : IntegerRange{-8.0f, 7.0f};
  constexpr float kTiny = 0x1p-100f;  // below, 1 / scale might not be finite
  Outputs<float> extreme = {};
  Outputs<F32FiniteCheck> checks = {};
  for (std::size_t k = 0; k < kGroup; ++k) {
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      float x = from[kernels::panel_place(k, lane)];
      checks[lane].add(std::bit_cast<std::uint32_t>(x));
      extreme[lane] = std::fabs(x) > std::fabs(extreme[lane]) ? x : extreme[lane];
    }
  }
  Outputs<std::uint32_t> mask;
  for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
    bool is_finite = checks[lane].all_finite();
    bool is_quantised = is_finite && !(std::fabs(extreme[lane]) < kTiny);
    group.is_quantised[lane] = is_quantised;
    group.extreme[lane] = is_quantised ? extreme[lane] : 1.0f;
    group.other_scale[lane] = is_finite ? 0 : f32_to_bf16(std::numeric_limits<float>::quiet_NaN());
    mask[lane] = is_quantised ? ~0u : 0u;
  }
  for (std::size_t k = 0; k < kGroup; ++k) {
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      auto bits = std::bit_cast<std::uint32_t>(from[kernels::panel_place(k, lane)]);
      group.weights[k][lane] = std::bit_cast<float>(bits & mask[lane]);
    }
  }
}

// Takes those of `scales` that make a smaller sum of squared errors than `least`, which becomes theirs.
// Eight interleaved sums, joined in order.
void keep_better(const Group& group, const Outputs<float>& scales, Outputs<float>& best,
                 Outputs<float>& least) {
  typedef float Vector __attribute__((vector_size(16)));
  constexpr std::size_t kSums = 8, kLanes = sizeof(Vector) / sizeof(float);
  auto load = [](const float* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
  };
  Vector low = Vector{} + group.range.low, high = Vector{} + group.range.high;
  for (std::size_t lane = 0; lane < kPanelWidth; lane += kLanes) {
    Vector scale = load(scales + lane), inverse = 1.0f / scale, error = {};
    for (std::size_t i = 0; i < kSums; ++i) {
      Vector sum = {};
      for (std::size_t k = i; k < kGroup; k += kSums) {
        Vector x = load(group.weights[k] + lane);
        Vector difference = x - quantised(x, inverse, low, high) * scale;
        sum += difference * difference;
      }
      error += sum;
    }
    Vector best_now = load(best + lane), least_now = load(least + lane);
    best_now = error < least_now ? scale : best_now;
    least_now = error < least_now ? error : least_now;
    std::memcpy(best + lane, &best_now, sizeof best_now);
    std::memcpy(least + lane, &least_now, sizeof least_now);
  }
}

// A scale that brings the largest magnitude to `quarters` / 4 steps.
float int4_scale(float extreme, float sign, int quarters) {
  return rounded_to_bf16(sign * extreme * 4.0f / static_cast<float>(quarters));
}

// The scale of the least squared error among those that bring the largest magnitude near the end of
// the range. Of both signs, since the range reaches one further below zero.
void find_int4_scales(const Group& group, Outputs<float>& best) {
  constexpr int kFewest = 21, kMost = 40;
  Outputs<float> least;
  for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
    least[lane] = std::numeric_limits<float>::infinity();
    best[lane] = int4_scale(group.extreme[lane], -1.0f, kFewest);  // if all errors are infinite
  }
  for (float sign : {-1.0f, 1.0f}) {
    for (int quarters = kFewest; quarters <= kMost; ++quarters) {
      Outputs<float> scales;
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        scales[lane] = int4_scale(group.extreme[lane], sign, quarters);
      }
      keep_better(group, scales, best, least);
    }
  }
}

void find_int8_scales(const Group& group, Outputs<float>& scales) {
  for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
    scales[lane] = rounded_to_bf16(std::fabs(group.extreme[lane]) / group.range.high);
  }
}

// Input k of an output, as it is stored: without a sign.
std::uint32_t integer(const Group& group, const Outputs<float>& inverses, std::size_t k,
                      std::size_t lane, std::int32_t offset) {
  float rounded =
      quantised(group.weights[k][lane], inverses[lane], group.range.low, group.range.high);
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(rounded) + offset);
}

// The passes of a group as kernels/panels.h has them: four bytes of each output, the first lowest.
void store_int8(const Group& group, const Outputs<float>& inverses, std::uint8_t* out) {
  for (std::size_t k = 0; k < kGroup; k += kernels::kInt8PassInputs) {
    Outputs<std::uint32_t> words = {};
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        words[lane] |= integer(group, inverses, k + i, lane, kernels::kInt8Offset) << (8 * i);
      }
    }
    std::memcpy(out + kernels::int8_place(k, 0), words, sizeof words);
  }
}

void store_int4(const Group& group, const Outputs<float>& inverses, std::uint8_t* out) {
  for (std::size_t k = 0; k < kGroup; k += kernels::kInt4PassInputs) {
    Outputs<std::uint32_t> words = {};
    for (std::size_t i = 0; i < kernels::kInt4PassInputs; ++i) {
      std::size_t shift = 8 * (i % 4) + (kernels::int4_is_low(i) ? 0 : 4);
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        words[lane] |= integer(group, inverses, k + i, lane, kernels::kInt4Offset) << shift;
      }
    }
    std::memcpy(out + kernels::int4_place(k, 0), words, sizeof words);
  }
}

}  // namespace

void quantise_panel(const float* weights, std::size_t groups, NumberFormat type,
                    std::uint8_t* integers, std::uint16_t* scales) {
  bool int8 = type == NumberFormat::kInt8;
  Group group;
  for (std::size_t g = 0; g < groups; ++g) {
    read_group(weights + kernels::panel_place(g * kGroup, 0), type, group);
    Outputs<float> found, inverses;
    (int8 ? find_int8_scales : find_int4_scales)(group, found);
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      inverses[lane] = 1.0f / found[lane];
      std::uint16_t scale =
          group.is_quantised[lane] ? f32_to_bf16(found[lane]) : group.other_scale[lane];
      scales[kernels::scale_place(groups, 0, g, lane)] = scale;
    }
    std::size_t place = kernels::group_place(groups, 0, g);
    if (int8) {
      store_int8(group, inverses, integers + place * kernels::kInt8GroupBytes);
    } else {
      store_int4(group, inverses, integers + place * kernels::kInt4GroupBytes);
    }
  }
}

}  // namespace chorus::model

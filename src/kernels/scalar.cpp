// The definition of every kernel: plain scalar programs. Slow, and right by reading.

#include <cmath>
#include <cstring>

#include "core/half.h"
#include "kernels/exp.h"
#include "kernels/isa_tables.h"

namespace chorus::kernels {
namespace {

constexpr std::size_t kLanes = 16;  // interleaved partial sums

float widen(float weight) { return weight; }
float widen(std::uint16_t weight) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(weight) << 16);
}

template <class Weight>
void matmul(const MatmulArgs& args) {
  for (std::size_t panel = 0; panel < args.panels; ++panel) {
    const Weight* panel_weights =
        args.panel_table != nullptr
            ? reinterpret_cast<const Weight*>(args.panel_table[panel] + args.panel_offset)
            : static_cast<const Weight*>(args.weights) + panel * args.panel_stride;
    for (std::size_t r = 0; r < args.rows; ++r) {
      const float* x = args.x + r * args.x_stride;
      float* out = args.out + r * args.out_stride + panel * kPanelWidth;
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        float sum = 0.0f;
        if (args.accumulate) {
          sum = out[lane];
        } else if (args.bias != nullptr) {
          sum = args.bias[panel * kPanelWidth + lane];
        }
        for (std::size_t k = 0; k < args.k; ++k) {
          sum = std::fma(x[k], widen(panel_weights[panel_place(k, lane)]), sum);
        }
        out[lane] = sum;
      }
    }
  }
}

void round_bf16(const float* x, std::size_t k, std::byte* out) {
  for (std::size_t i = 0; i < group_count(k) * kGroup; ++i) {
    float rounded = i < k ? widen(f32_to_bf16(x[i])) : 0.0f;
    if (std::fabs(rounded) < kBf16Zero) rounded = 0.0f;
    std::memcpy(out + i * sizeof(float), &rounded, sizeof(float));
  }
}

void matmul_bf16(const Bf16MatmulArgs& args) {
  for (std::size_t panel = 0; panel < args.panels; ++panel) {
    const std::uint16_t* weights = args.weights + panel * bf16_panel_size(args.groups);
    for (std::size_t r = 0; r < args.rows; ++r) {
      const auto* x = reinterpret_cast<const float*>(args.x + r * args.x_stride);
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        float result = args.bias != nullptr ? args.bias[panel * kPanelWidth + lane] : 0.0f;
        for (std::size_t begin = 0; begin < args.groups * kGroup; begin += kGroup) {
          float even = 0.0f, odd = 0.0f;
          for (std::size_t k = begin; k < begin + kGroup; k += 2) {
            even = std::fma(x[k], widen(weights[bf16_place(k, lane)]), even);
            odd = std::fma(x[k + 1], widen(weights[bf16_place(k + 1, lane)]), odd);
          }
          result += even + odd;
        }
        args.out[r * args.out_stride + panel * kPanelWidth + lane] = result;
      }
    }
  }
}

struct Int8 {
  static constexpr std::size_t kGroupBytes = kInt8GroupBytes;
  static std::int32_t weight(const std::uint8_t* group, std::size_t k, std::size_t lane) {
    return int8_weight(group, k, lane);
  }
};
struct Int4 {
  static constexpr std::size_t kGroupBytes = kInt4GroupBytes;
  static std::int32_t weight(const std::uint8_t* group, std::size_t k, std::size_t lane) {
    return int4_weight(group, k, lane);
  }
};

template <class Format>
void matmul_integer(const IntegerMatmulArgs& args) {
  for (std::size_t panel = 0; panel < args.panels; ++panel) {
    for (std::size_t r = 0; r < args.rows; ++r) {
      for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
        float result = args.bias != nullptr ? args.bias[panel * kPanelWidth + lane] : 0.0f;
        if (args.row_factor != nullptr) result *= args.row_factor[r];
        for (std::size_t g = 0; g < args.groups; ++g) {
          const ActivationGroup& x = args.x[r * args.groups + g];
          const std::uint8_t* weights =
              args.weights + group_place(args.groups, panel, g) * Format::kGroupBytes;
          std::int32_t sum = 0;
          for (std::size_t k = 0; k < kGroup; ++k) {
            sum += x.values[k] * Format::weight(weights, k, lane);
          }
          float scale = widen(args.scales[scale_place(args.groups, panel, g, lane)]);
          result = std::fma(static_cast<float>(sum), scale * x.scale, result);
        }
        args.out[r * args.out_stride + panel * kPanelWidth + lane] = result;
      }
    }
  }
}

void quantise(const float* x, std::size_t k, std::int32_t offset, ActivationGroup* out) {
  for (std::size_t g = 0; g * kGroup < k; ++g) {
    std::size_t begin = g * kGroup;
    std::size_t count = k - begin < kGroup ? k - begin : kGroup;
    float largest = 0.0f;
    bool finite = true;
    for (std::size_t i = begin; i < begin + count; ++i) {
      largest = std::fabs(x[i]) > largest ? std::fabs(x[i]) : largest;
      finite = finite && std::isfinite(x[i]);
    }
    bool zero = !finite || largest < kQuantiseZero;
    out[g].scale = finite ? zero ? 0.0f : largest / 127.0f : std::bit_cast<float>(0x7fc00000u);
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < kGroup; ++i) {
      float scaled = zero || i >= count ? 0.0f : x[begin + i] * (127.0f / largest);
      float rounded = (scaled + kRoundToInteger) - kRoundToInteger;
      out[g].values[i] = static_cast<std::int8_t>(rounded);
      sum += out[g].values[i];
    }
    out[g].start = -offset * sum;
  }
}

// (l, l + width) pairs for width 8, 4, 2, 1.
float join(float (&lanes)[kLanes]) {
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

void layer_norm(const float* x, const float* weight, const float* bias, float epsilon,
                std::size_t n, float* out) {
  auto count = static_cast<float>(n);
  float lanes[kLanes] = {};
  for (std::size_t i = 0; i < n; ++i) lanes[i % kLanes] += x[i];
  float mean = join(lanes) / count;

  float squares[kLanes] = {};
  for (std::size_t i = 0; i < n; ++i) {
    float centred = x[i] - mean;
    squares[i % kLanes] = std::fma(centred, centred, squares[i % kLanes]);
  }
  float scale = 1.0f / std::sqrt(join(squares) / count + epsilon);
  for (std::size_t i = 0; i < n; ++i) {
    float normal = (x[i] - mean) * scale;
    out[i] = bias != nullptr ? std::fma(normal, weight[i], bias[i]) : normal * weight[i];
  }
}

template <float function(float)>
void map(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] = function(x[i]);
}

void add(float* x, const float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] += y[i];
}

float max(const float* x, std::size_t n) {
  float largest = x[0];
  for (std::size_t i = 1; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

void softmax(float* x, std::size_t n, float scale) {
  for (std::size_t i = 0; i < n; ++i) x[i] *= scale;
  float largest = max(x, n);
  float lanes[kLanes] = {};
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = exp_f32(x[i] - largest);
    lanes[i % kLanes] += x[i];
  }
  float reciprocal = 1.0f / join(lanes);
  for (std::size_t i = 0; i < n; ++i) x[i] *= reciprocal;
}

void softmax_vocabulary(const float* x, std::size_t n, float* out) {
  constexpr std::size_t kTorchLanes = 8;
  float largest = max(x, n);
  float lanes[kTorchLanes] = {};
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = exp_f32(x[i] - largest);
    lanes[i % kTorchLanes] += out[i];
  }
  for (std::size_t width = kTorchLanes / 2; width > 0; width /= 2) {
    for (std::size_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  float reciprocal = 1.0f / lanes[0];
  for (std::size_t i = 0; i < n; ++i) out[i] *= reciprocal;
}

std::size_t find_over(const float* x, std::size_t begin, std::size_t n, float threshold) {
  while (begin < n && !(x[begin] > threshold)) ++begin;
  return begin;
}

double sum_exp(const float* x, std::size_t n, float largest) {
  double sum = 0.0;
  for (std::size_t begin = 0; begin < n; begin += kSumExpBlock) {
    std::size_t end = n - begin < kSumExpBlock ? n : begin + kSumExpBlock;
    float lanes[kLanes] = {};
    for (std::size_t i = begin; i < end; ++i) {
      lanes[(i - begin) % kLanes] += exp_f32(x[i] - largest);
    }
    sum += static_cast<double>(join(lanes));
  }
  return sum;
}

double sum_exp_gap(const float* x, std::size_t n, float largest) {
  double sum = 0.0;
  for (std::size_t begin = 0; begin < n; begin += kSumExpBlock) {
    std::size_t end = n - begin < kSumExpBlock ? n : begin + kSumExpBlock;
    float lanes[kLanes] = {};
    for (std::size_t i = begin; i < end; ++i) {
      float gap = largest - x[i];
      lanes[(i - begin) % kLanes] += exp_f32(x[i] - largest) * (gap < -kExpLow ? gap : -kExpLow);
    }
    sum += static_cast<double>(join(lanes));
  }
  return sum;
}

}  // namespace

const Kernels kScalarKernels = {
    .name = "scalar",
    .matmul = {.f32 = matmul<float>,
               .bf16_f32 = matmul<std::uint16_t>,
               .bf16 = {.round = round_bf16,
                        .row_group_bytes = kGroup * sizeof(float),
                        .matmul = matmul_bf16},
               .int8 = matmul_integer<Int8>,
               .int4 = matmul_integer<Int4>,
               .quantise = quantise},
    .norm = {.layer_norm = layer_norm},
    .activation = {.gelu_tanh = map<gelu_tanh_f32>,
                   .gelu_erf = map<gelu_erf_f32>,
                   .relu = map<relu_f32>,
                   .softmax = softmax,
                   .add = add},
    .sampling = {.softmax = softmax_vocabulary,
                 .find_over = find_over,
                 .sum_exp = sum_exp,
                 .sum_exp_gap = sum_exp_gap,
                 .max = max},
};

}  // namespace chorus::kernels

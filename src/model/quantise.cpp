#include "model/quantise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "checkpoint/element.h"
#include "checkpoint/safetensors/quantised.h"
#include "core/aligned_buffer.h"
#include "core/arena.h"
#include "core/bytes.h"
#include "kernels/panels.h"
#include "model/tensor_values.h"

namespace chorus::model {
namespace {

using checkpoint::Checkpoint;
using checkpoint::QuantisedMatrix;
using checkpoint::Tensor;
using kernels::kGroup;
using kernels::kPanelWidth;

// Adding it rounds |x| < 2^22 to an integer, ties to even.
constexpr float kRoundToInteger = 0x1.8p23f;

float round_to_integer(float x) { return (x + kRoundToInteger) - kRoundToInteger; }

// The scale of a group and the error that it makes.
struct Fit {
  float scale;
  float error;  // sum of squares
};

struct IntegerRange {
  float low, high;
};

float quantised(float x, float inverse, IntegerRange range) {
  float rounded = round_to_integer(x * inverse);
  rounded = rounded < range.low ? range.low : rounded;
  return rounded > range.high ? range.high : rounded;
}

// No fused multiply-add: where the processor lacks one, it is a slow function. Interleaved sums, so
// that the compiler can make vector code of it.
Fit fit_with(std::span<const float> group, float scale, IntegerRange range) {
  constexpr std::size_t kSums = 8;
  float sums[kSums] = {};
  float inverse = 1.0f / scale;
  std::size_t whole = group.size() / kSums * kSums;
  for (std::size_t i = 0; i < whole; i += kSums) {
    for (std::size_t j = 0; j < kSums; ++j) {
      float difference = group[i + j] - quantised(group[i + j], inverse, range) * scale;
      sums[j] += difference * difference;
    }
  }
  for (std::size_t i = whole; i < group.size(); ++i) {
    float difference = group[i] - quantised(group[i], inverse, range) * scale;
    sums[i - whole] += difference * difference;
  }
  float error = 0.0f;
  for (float sum : sums) error += sum;
  return {scale, error};
}

float rounded_to_bf16(float x) { return bf16_to_f32(f32_to_bf16(x)); }

// The scale of the least squared error among those that bring the largest magnitude near the end of
// the range. int4 tries the sign, too, since its range reaches one further below zero.
float best_scale(std::span<const float> group, float extreme, NumberFormat type,
                 IntegerRange range) {
  if (type == NumberFormat::kInt8) return rounded_to_bf16(std::fabs(extreme) / range.high);
  Fit best{0.0f, std::numeric_limits<float>::infinity()};
  for (float sign : {-1.0f, 1.0f}) {
    for (int quarter = 21; quarter <= 40; ++quarter) {  // largest magnitude: 5.25 to 10 steps
      float scale = rounded_to_bf16(sign * extreme * 4.0f / static_cast<float>(quarter));
      Fit fit = fit_with(group, scale, range);
      if (fit.error < best.error) best = fit;
    }
  }
  return best.scale;
}

// Quantises `group` to `integers`; returns the scale's bf16 bits.
std::uint16_t quantise_group(std::span<const float> group, NumberFormat type,
                             std::int32_t* integers) {
  constexpr float kTiny = 0x1p-100f;  // below, 1 / scale might not be finite
  IntegerRange range =
      type == NumberFormat::kInt8 ? IntegerRange{-127.0f, 127.0f} : IntegerRange{-8.0f, 7.0f};
  float extreme = 0.0f;
  bool finite = true;
  for (float x : group) {
    finite = finite && std::isfinite(x);
    if (std::fabs(x) > std::fabs(extreme)) extreme = x;
  }
  std::fill_n(integers, group.size(), 0);
  if (!finite) return f32_to_bf16(std::numeric_limits<float>::quiet_NaN());
  if (std::fabs(extreme) < kTiny) return 0;
  float scale = best_scale(group, extreme, type, range);
  for (std::size_t i = 0; i < group.size(); ++i) {
    integers[i] = static_cast<std::int32_t>(quantised(group[i], 1.0f / scale, range));
  }
  return f32_to_bf16(scale);
}

// A matrix being quantised: where its integers and scales go.
struct Target {
  QuantisedMatrix shape;
  std::span<std::uint8_t> weights;  // in an arena
  std::span<std::uint16_t> scales;
  AlignedBuffer<float> common, shares;  // empty if there are none
};

// `rows` are the panel's outputs, [lanes][K].
void quantise_panel(Target& target, std::size_t panel, std::span<const float> rows) {
  const QuantisedMatrix& shape = target.shape;
  auto groups = static_cast<std::size_t>(shape.groups);
  auto inputs = static_cast<std::size_t>(shape.inputs);
  bool int8 = shape.type == NumberFormat::kInt8;
  std::size_t group_bytes = int8 ? kernels::kInt8GroupBytes : kernels::kInt4GroupBytes;
  for (std::size_t g = 0; g < groups; ++g) {
    std::uint8_t* bytes =
        target.weights.data() + kernels::group_place(groups, panel, g) * group_bytes;
    std::uint16_t* scales = target.scales.data() + kernels::scale_place(groups, panel, g, 0);
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      std::int32_t integers[kGroup] = {};
      if ((lane + 1) * inputs <= rows.size()) {
        std::size_t begin = g * kGroup;
        auto group = rows.subspan(lane * inputs + begin, std::min(kGroup, inputs - begin));
        scales[lane] = quantise_group(group, shape.type, integers);
      }
      for (std::size_t k = 0; k < kGroup; ++k) {
        if (int8) {
          kernels::set_int8_weight(bytes, k, lane, integers[k]);
        } else {
          kernels::set_int4_weight(bytes, k, lane, integers[k]);
        }
      }
    }
  }
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return sum;
}

// The mean of all rows, unless some weight is no number.
AlignedBuffer<float> mean_row(const Tensor& weight) {
  auto outputs = static_cast<std::size_t>(weight.shape[0]);
  auto inputs = static_cast<std::size_t>(weight.shape[1]);
  std::vector<double> sums(inputs);
  std::vector<float> row(inputs);
  for (std::size_t n = 0; n < outputs; ++n) {
    read_row(weight, n, row.data());
    for (std::size_t k = 0; k < inputs; ++k) sums[k] += static_cast<double>(row[k]);
  }
  AlignedBuffer<float> mean(inputs);
  for (std::size_t k = 0; k < inputs; ++k) {
    mean[k] = static_cast<float>(sums[k] / static_cast<double>(outputs));
  }
  return mean;
}

// Whether the rows of a matrix are tokens, most of which may hardly differ: see docs/numerics.md.
bool is_vocabulary(const std::string& name) {
  return name == "wte.weight" || name == "lm_head.weight";
}

std::shared_ptr<Target> quantise_matrix(const std::string& name, const Tensor& weight,
                                        NumberFormat type, Arena& memory, ThreadTeam& team) {
  auto target = std::make_shared<Target>();
  target->shape = checkpoint::empty_quantised(type, weight.shape[0], weight.shape[1]);
  std::size_t scales = 1, bytes = 1;
  for (std::int64_t size : scales_shape(target->shape)) scales *= static_cast<std::size_t>(size);
  for (std::int64_t size : weights_shape(target->shape)) bytes *= static_cast<std::size_t>(size);
  target->weights = memory.allot<std::uint8_t>(bytes);
  target->scales = memory.allot<std::uint16_t>(scales);
  auto outputs = static_cast<std::size_t>(weight.shape[0]);
  auto inputs = static_cast<std::size_t>(weight.shape[1]);
  double squared_length = 0.0;
  if (is_vocabulary(name)) {
    target->common = mean_row(weight);
    target->shares = AlignedBuffer<float>(outputs);
    squared_length = dot(target->common.span(), target->common.span());
  }
  std::vector<AlignedBuffer<float>> rows(team.size());
  for (auto& buffer : rows) buffer = AlignedBuffer<float>(kPanelWidth * inputs);
  team.run([&](ThreadTeam::Member& member) {
    Range range = member.share(static_cast<std::size_t>(target->shape.panels));
    std::span<float> buffer = rows[member.index()].span();
    for (std::size_t panel = range.begin; panel < range.end; ++panel) {
      std::size_t first = panel * kPanelWidth;
      std::size_t lanes = std::min(kPanelWidth, outputs - first);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        std::span<float> row = buffer.subspan(lane * inputs, inputs);
        read_row(weight, first + lane, row.data());
        if (!(squared_length > 0.0)) continue;
        float share = static_cast<float>(dot(row, target->common.span()) / squared_length);
        target->shares[first + lane] = share;
        for (std::size_t k = 0; k < inputs; ++k) {
          row[k] -= share * target->common[k];
        }
      }
      quantise_panel(*target, panel, buffer.first(lanes * inputs));
    }
  });
  return target;
}

Tensor vector_of(const AlignedBuffer<float>& values) {
  return {NumberFormat::kF32,
          {static_cast<std::int64_t>(values.size())},
          {1},
          std::as_bytes(values.span())};
}

}  // namespace

Checkpoint quantise(const Checkpoint& source, NumberFormat type, ThreadTeam& team,
                    const LoadProgress& progress) {
  Checkpoint result = source;
  std::size_t done = 0, total = static_cast<std::size_t>(source.parameter_count());
  constexpr std::size_t kMostOfSlab = std::size_t{64} << 20;
  auto memory = std::make_shared<Arena>(std::min(total, kMostOfSlab));
  result.owners.push_back(memory);
  for (const auto& [name, weight] : source.tensors) {
    done += static_cast<std::size_t>(weight.element_count());
    if (weight.shape.size() != 2 || name == "wpe.weight") continue;
    auto target = quantise_matrix(name, weight, is_vocabulary(name) ? NumberFormat::kInt8 : type,
                                  *memory, team);
    QuantisedMatrix matrix = target->shape;
    matrix.weights = std::as_bytes(target->weights);
    matrix.scales = std::as_bytes(target->scales);
    if (target->common.size() > 0) {
      matrix.common = vector_of(target->common);
      matrix.shares = vector_of(target->shares);
    }
    result.quantised.emplace(name, matrix);
    result.owners.push_back(std::move(target));
    result.tensors.erase(name);
    release_pages(weight.data);
    if (progress) progress(done, total);
  }
  return result;
}

}  // namespace chorus::model

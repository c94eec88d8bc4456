#include "model/quantise.h"

#include <algorithm>
#include <vector>

#include "checkpoint/safetensors/quantised.h"
#include "core/aligned_buffer.h"
#include "core/arena.h"
#include "core/bytes.h"
#include "kernels/panels.h"
#include "model/panel_packing.h"
#include "model/quantise_panel.h"
#include "model/tensor_values.h"

namespace chorus::model {
namespace {

using checkpoint::Checkpoint;
using checkpoint::QuantisedMatrix;
using checkpoint::Tensor;
using kernels::kGroup;
using kernels::kPanelWidth;

// A matrix being quantised: where its integers and scales go.
struct Target {
  QuantisedMatrix shape;
  std::span<std::uint8_t> weights;  // in an arena
  std::span<std::uint16_t> scales;
  AlignedBuffer<float> common, shares;  // empty if there are none
};

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return sum;
}

// The mean of all rows.
AlignedBuffer<float> mean_row(const Tensor& weight, ThreadTeam& team) {
  auto outputs = static_cast<std::size_t>(weight.shape[0]);
  auto inputs = static_cast<std::size_t>(weight.shape[1]);
  std::vector<double> sums(inputs);
  AlignedBuffer<float> mean(inputs);
  team.run([&](ThreadTeam::Member& member) {
    auto [begin, end] = member.share(inputs);
    for (std::size_t n = 0; n < outputs; ++n) {
      read_row(weight, n, {begin, end}, mean.data() + begin);  // one row after the other
      for (std::size_t k = begin; k < end; ++k) sums[k] += static_cast<double>(mean[k]);
    }
    for (std::size_t k = begin; k < end; ++k) {
      mean[k] = static_cast<float>(sums[k] / static_cast<double>(outputs));
    }
  });
  return mean;
}

// Takes the part that the rows have in common away from `lanes` outputs of a panel of [inputs][32]
// weights; shares[lanes].
void take_common_part(std::span<const float> common, double squared_length, std::size_t lanes,
                      float* panel, float* shares) {
  double products[kPanelWidth] = {};
  for (std::size_t k = 0; k < common.size(); ++k) {
    const float* weights = panel + kernels::panel_place(k, 0);
    for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
      products[lane] += static_cast<double>(weights[lane]) * static_cast<double>(common[k]);
    }
  }
  float share[kPanelWidth] = {};
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    shares[lane] = share[lane] = static_cast<float>(products[lane] / squared_length);
  }
  for (std::size_t k = 0; k < common.size(); ++k) {
    float* weights = panel + kernels::panel_place(k, 0);
    for (std::size_t lane = 0; lane < lanes; ++lane) weights[lane] -= share[lane] * common[k];
  }
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
  auto groups = static_cast<std::size_t>(target->shape.groups);
  double squared_length = 0.0;
  if (is_vocabulary(name)) {
    target->common = mean_row(weight, team);
    target->shares = AlignedBuffer<float>(outputs);
    squared_length = dot(target->common.span(), target->common.span());
  }
  std::size_t group_bytes =
      type == NumberFormat::kInt8 ? kernels::kInt8GroupBytes : kernels::kInt4GroupBytes;
  // For each thread a panel, with zeros after its inputs.
  std::vector<AlignedBuffer<float>> buffers(team.size());
  for (auto& buffer : buffers) buffer = AlignedBuffer<float>(kernels::panel_size(groups * kGroup));
  team.run([&](ThreadTeam::Member& member) {
    auto [begin, end] = member.share(static_cast<std::size_t>(target->shape.panels));
    float* weights = buffers[member.index()].data();
    for (std::size_t panel = begin; panel < end; ++panel) {
      pack_panels(weight, {panel, panel + 1}, NumberFormat::kF32, weights);
      std::size_t first = panel * kPanelWidth;
      if (squared_length > 0.0) {
        take_common_part(target->common.span(), squared_length,
                         std::min(kPanelWidth, outputs - first), weights, &target->shares[first]);
      }
      quantise_panel(weights, groups, type,
                     target->weights.data() + kernels::group_place(groups, panel, 0) * group_bytes,
                     target->scales.data() + kernels::scale_place(groups, panel, 0, 0));
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

NumberFormat format_of(const std::string& name, const Tensor& tensor, NumberFormat type) {
  if (tensor.shape.size() != 2 || name == "wpe.weight") return NumberFormat::kF32;
  return is_quantised(type) && is_vocabulary(name) ? NumberFormat::kInt8 : type;
}

Checkpoint quantise(const Checkpoint& source, NumberFormat type, ThreadTeam& team,
                    const LoadProgress& progress) {
  Checkpoint result = source;
  std::size_t done = 0, total = static_cast<std::size_t>(source.parameter_count());
  constexpr std::size_t kMostOfSlab = std::size_t{64} << 20;
  auto memory = std::make_shared<Arena>(std::min(total, kMostOfSlab));
  result.owners.push_back(memory);
  for (const auto& [name, weight] : source.tensors) {
    done += static_cast<std::size_t>(weight.element_count());
    NumberFormat format = format_of(name, weight, type);
    if (!is_quantised(format)) continue;
    auto target = quantise_matrix(name, weight, format, *memory, team);
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

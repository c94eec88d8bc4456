#include "checkpoint/listing.h"

#include <algorithm>
#include <set>

#include "checkpoint/gpt2/limits.h"
#include "checkpoint/gpt2/names.h"
#include "checkpoint/raw.h"
#include "checkpoint/safetensors/quantised.h"

namespace chorus::checkpoint {
namespace {

std::vector<ListedTensor> tensors_of(const RawCheckpoint& raw) {
  std::vector<ListedTensor> list;
  for (const auto& [name, tensor] : raw.tensors) {
    list.push_back({name, tensor.shape, number_format_name(tensor.dtype)});
  }
  for (const auto& [name, tensor] : raw.other_tensors) {
    list.push_back({name, tensor.shape, tensor.type});
  }
  for (const auto& [name, matrix] : raw.quantised) {
    list.push_back({name, {matrix.panels, matrix.groups}, number_format_name(matrix.type)});
  }
  std::ranges::sort(list, {}, &ListedTensor::name);
  return list;
}

// GPT-2's names for so many layers; the biases are only among them if there are any.
std::set<std::string> expected_names(std::int64_t layers, bool bias) {
  ModelConfig config;
  config.bias = bias;
  std::set<std::string> names;
  auto add = [&names](const std::vector<ExpectedTensor>& tensors) {
    for (const ExpectedTensor& tensor : tensors) names.insert(tensor.name);
  };
  add(tensors_outside_layers(config));
  for (std::int64_t layer = 0; layer < layers; ++layer) add(tensors_of_layer(config, layer));
  return names;
}

void compare_names(std::int64_t stated_layers, Problem& problem) {
  std::set<std::string> found;
  std::int64_t layers = std::max<std::int64_t>(stated_layers, 1);
  for (const ListedTensor& tensor : problem.tensors) {
    std::optional<SplitName> split = split_name(tensor.name);
    if (!split || is_mask_buffer(split->plain)) continue;
    found.insert(split->plain);
    if (auto parts = split_layer(split->plain)) layers = std::max(layers, parts->layer + 1);
  }
  // A layer's number may be any; so many layers as there are tensors are listed at most.
  layers = std::min(layers, std::max<std::int64_t>(static_cast<std::int64_t>(found.size()), 1));
  bool bias = std::ranges::any_of(found, [](auto& name) { return name.ends_with(".bias"); });
  std::set<std::string> expected = expected_names(std::min(layers, kLargestLayerCount), bias);
  for (const std::string& name : expected) {
    bool is_tied = name == "wte.weight" && found.contains("lm_head.weight");
    if (!found.contains(name) && !is_tied) problem.missing.push_back(name);
  }
  for (const ListedTensor& tensor : problem.tensors) {
    std::optional<SplitName> split = split_name(tensor.name);
    bool is_known = split && (expected.contains(split->plain) || is_mask_buffer(split->plain) ||
                              split->plain == "lm_head.weight");
    if (!is_known) problem.unexpected.push_back(tensor.name);
  }
}

}  // namespace

Result<Listing> list(const std::string& path, const OpenOptions& options) {
  CHORUS_TRY(RawCheckpoint raw, read_raw(path));
  Problem problem;
  problem.path = raw.path;
  problem.format = raw.format;
  problem.tensors = tensors_of(raw);
  std::int64_t layers = raw.config.n_layer.value_or(0);
  Result<Checkpoint> checkpoint = finish(std::move(raw), options);
  if (checkpoint) return Listing{std::move(checkpoint).assume_value(), std::nullopt};
  problem.error = std::move(checkpoint).assume_error();
  compare_names(layers, problem);
  return Listing{std::nullopt, std::move(problem)};
}

}  // namespace chorus::checkpoint

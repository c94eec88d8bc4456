#include "model/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "checkpoint/element.h"
#include "core/arena.h"
#include "core/bytes.h"

namespace chorus::model {
namespace {

using checkpoint::all_finite;
using checkpoint::Checkpoint;
using checkpoint::ModelConfig;
using checkpoint::Tensor;

const Tensor* find(const Checkpoint& checkpoint, const std::string& name) {
  auto found = checkpoint.tensors.find(name);
  return found == checkpoint.tensors.end() ? nullptr : &found->second;
}

float score_scale(const ModelConfig& config, std::int64_t layer) {
  double scale = 1.0;
  if (config.scale_attn_weights) {
    scale /= std::sqrt(static_cast<double>(config.n_embd / config.n_head));
  }
  if (config.scale_attn_by_inverse_layer_idx) scale /= static_cast<double>(layer + 1);
  return static_cast<float>(scale);
}

// Packs tensors one after the other and reports how many of the bytes are done.
class Packer {
 public:
  Packer(const Checkpoint& checkpoint, NumberFormat type, QuantisedMemory memory, ThreadTeam& team,
         const LoadProgress& progress)
      : checkpoint_(checkpoint),
        type_(type),
        memory_(memory),
        team_(team),
        progress_(progress),
        arena_(std::make_shared<Arena>(slab_bytes(checkpoint))) {
    owners_.push_back(arena_);
    if (memory == QuantisedMemory::kViewed && !checkpoint.quantised.empty()) {
      owners_.insert(owners_.end(), checkpoint.owners.begin(), checkpoint.owners.end());
    }
    for (const auto& [name, tensor] : checkpoint.tensors) total_ += bytes(tensor);
  }

  PackedMatrix matrix(const std::string& name) {
    auto quantised = checkpoint_.quantised.find(name + ".weight");
    if (quantised != checkpoint_.quantised.end()) {
      const Tensor* bias = find(checkpoint_, name + ".bias");
      if (memory_ == QuantisedMemory::kViewed) return {quantised->second, bias};
      return {copied(quantised->second), bias};
    }
    const Tensor& weight = *find(checkpoint_, name + ".weight");
    PackedMatrix packed(weight, find(checkpoint_, name + ".bias"), type_, *arena_, team_);
    is_finite_ = is_finite_ && packed.is_finite();
    report(weight);
    return packed;
  }

  AlignedBuffer<float> vector(const std::string& name) {
    const Tensor* tensor = find(checkpoint_, name);
    if (tensor == nullptr) return {};
    AlignedBuffer<float> widened = widen(*tensor);
    const auto* values = reinterpret_cast<const std::byte*>(widened.data());
    is_finite_ = is_finite_ && all_finite(NumberFormat::kF32, values, widened.size());
    report(*tensor);
    return widened;
  }

  bool is_finite() const { return is_finite_; }
  std::vector<std::shared_ptr<const void>> take_owners() { return std::move(owners_); }

  Norm norm(const std::string& name) { return {vector(name + ".weight"), vector(name + ".bias")}; }

  Layer layer(std::int64_t i) {
    std::string name = "h." + std::to_string(i);
    return {
        .attention_norm = norm(name + ".ln_1"),
        .mlp_norm = norm(name + ".ln_2"),
        .attention = matrix(name + ".attn.c_attn"),
        .attention_projection = matrix(name + ".attn.c_proj"),
        .mlp_inner = matrix(name + ".mlp.c_fc"),
        .mlp_projection = matrix(name + ".mlp.c_proj"),
        .score_scale = score_scale(checkpoint_.config, i),
    };
  }

 private:
  std::span<const std::byte> copied(std::span<const std::byte> bytes) {
    auto copy = arena_->allot<std::byte>(bytes.size());
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    release_pages(bytes);
    return copy;
  }
  checkpoint::QuantisedMatrix copied(const checkpoint::QuantisedMatrix& matrix) {
    checkpoint::QuantisedMatrix result = matrix;
    result.weights = copied(matrix.weights);
    result.scales = copied(matrix.scales);
    return result;
  }
  // As much as there is to pack, up to a few dozen huge pages.
  static std::size_t slab_bytes(const Checkpoint& checkpoint) {
    constexpr std::size_t kMost = std::size_t{64} << 20;
    std::size_t all = 0;
    for (const auto& [name, tensor] : checkpoint.tensors) all += bytes(tensor);
    for (const auto& [name, matrix] : checkpoint.quantised) {
      all += matrix.weights.size() + matrix.scales.size();
    }
    return std::min(all, kMost);
  }
  static std::size_t bytes(const Tensor& tensor) {
    return static_cast<std::size_t>(tensor.element_count()) * block_bytes(tensor.dtype);
  }
  // Its bytes are not needed again.
  void report(const Tensor& tensor) {
    release_pages(tensor.data);
    done_ += bytes(tensor);
    if (progress_) progress_(done_, total_);
  }

  const Checkpoint& checkpoint_;
  NumberFormat type_;
  QuantisedMemory memory_;
  ThreadTeam& team_;
  const LoadProgress& progress_;
  std::shared_ptr<Arena> arena_;
  std::vector<std::shared_ptr<const void>> owners_;  // of what matrices view
  bool is_finite_ = true;
  std::size_t done_ = 0, total_ = 0;
};

}  // namespace

Weights pack(const Checkpoint& checkpoint, NumberFormat format, QuantisedMemory memory,
             ThreadTeam& team, const LoadProgress& progress) {
  Packer packer(checkpoint, format, memory, team, progress);
  Weights weights;
  weights.token_embedding = packer.matrix("wte");
  weights.positions = packer.vector("wpe.weight");
  for (std::int64_t i = 0; i < checkpoint.config.n_layer; ++i) {
    weights.layers.push_back(packer.layer(i));
  }
  weights.final_norm = packer.norm("ln_f");
  if (!checkpoint.config.tie_word_embeddings) weights.untied_head = packer.matrix("lm_head");
  weights.is_finite = packer.is_finite();
  weights.owners = packer.take_owners();
  return weights;
}

std::size_t Weights::bytes() const {
  std::size_t bytes =
      token_embedding.bytes() + untied_head.bytes() + positions.size() * sizeof(float);
  for (const Layer& layer : layers) {
    bytes += layer.attention.bytes() + layer.attention_projection.bytes() +
             layer.mlp_inner.bytes() + layer.mlp_projection.bytes();
  }
  return bytes;
}

std::vector<const PackedMatrix*> Weights::step_matrices() const {
  std::vector<const PackedMatrix*> matrices{&head()};
  for (const Layer& layer : layers) {
    for (const PackedMatrix* matrix :
         {&layer.attention, &layer.attention_projection, &layer.mlp_inner, &layer.mlp_projection}) {
      matrices.push_back(matrix);
    }
  }
  return matrices;
}

void Weights::add_to(ContentHash& hash) const {
  auto add_norm = [&hash](const Norm& norm) {
    hash.add_values(norm.weight.span());
    hash.add_values(norm.bias.span());
  };
  token_embedding.add_to(hash);
  untied_head.add_to(hash);
  hash.add_values(positions.span());
  for (const Layer& layer : layers) {
    add_norm(layer.attention_norm);
    layer.attention.add_to(hash);
    layer.attention_projection.add_to(hash);
    add_norm(layer.mlp_norm);
    layer.mlp_inner.add_to(hash);
    layer.mlp_projection.add_to(hash);
  }
  add_norm(final_norm);
}

}  // namespace chorus::model

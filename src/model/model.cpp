// Packing a checkpoint into a Model; step.cpp computes with it.

#include "model/model.h"

#include <cmath>
#include <new>

#include "checkpoint/safetensors/quantised.h"

namespace chorus::model {
namespace {

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

// Quantised weights come with keys and values of half the size: their rounding is far below that of
// the weights.
NumberFormat kv_format(NumberFormat weights) {
  return is_quantised(weights) ? NumberFormat::kBf16 : NumberFormat::kF32;
}

// Packs tensors one after the other and reports how many of the bytes are done.
class Packer {
 public:
  Packer(const Checkpoint& checkpoint, NumberFormat type, ThreadTeam& team,
         const LoadProgress& progress)
      : checkpoint_(checkpoint), type_(type), team_(team), progress_(progress) {
    for (const auto& [name, tensor] : checkpoint.tensors) total_ += bytes(tensor);
  }

  PackedMatrix matrix(const std::string& name) {
    auto quantised = checkpoint_.quantised.find(name + ".weight");
    if (quantised != checkpoint_.quantised.end()) {
      return {quantised->second, find(checkpoint_, name + ".bias")};
    }
    const Tensor& weight = *find(checkpoint_, name + ".weight");
    PackedMatrix packed(weight, find(checkpoint_, name + ".bias"), type_, team_);
    report(weight);
    return packed;
  }

  AlignedBuffer<float> vector(const std::string& name) {
    const Tensor* tensor = find(checkpoint_, name);
    if (tensor == nullptr) return {};
    report(*tensor);
    return widen(*tensor);
  }

 private:
  static std::size_t bytes(const Tensor& tensor) {
    return static_cast<std::size_t>(tensor.element_count()) * block_bytes(tensor.dtype);
  }
  void report(const Tensor& tensor) {
    done_ += bytes(tensor);
    if (progress_) progress_(done_, total_);
  }

  const Checkpoint& checkpoint_;
  NumberFormat type_;
  ThreadTeam& team_;
  const LoadProgress& progress_;
  std::size_t done_ = 0, total_ = 0;
};

}  // namespace

Model::Model(const ModelConfig& config, const kernels::Kernels& kernels, NumberFormat type)
    : config_(config), kernels_(&kernels), type_(type), kv_(config, kv_format(type)) {}

Result<std::unique_ptr<const Model>> Model::load(const Checkpoint& checkpoint, NumberFormat type,
                                                 ThreadTeam& team, const LoadProgress& progress) {
  CHORUS_TRY(auto kernels, kernels::choose_kernels());
  auto found = checkpoint::quantised_format(checkpoint);
  if (found && type != *found) {
    return Error{ErrorCode::kUnsupported,
                 checkpoint.path + ": holds " + number_format_name(*found) +
                     " weights, which cannot be held as " + number_format_name(type) +
                     ": leave the type out, or convert the original"};
  }
  try {
    std::unique_ptr<Model> model(new Model(checkpoint.config, *kernels, type));
    if (is_quantised(type) && !found) {
      model->pack(quantise(checkpoint, type, team, progress), team, {});
    } else {
      model->pack(checkpoint, team, progress);
    }
    return std::unique_ptr<const Model>(std::move(model));
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kUnsupported, checkpoint.path + ": not enough memory for the weights"};
  }
}

void Model::pack(const Checkpoint& checkpoint, ThreadTeam& team, const LoadProgress& progress) {
  Packer packer(checkpoint, type_, team, progress);
  auto norm = [&](const std::string& name) {
    return LayerNorm{packer.vector(name + ".weight"), packer.vector(name + ".bias")};
  };
  token_embedding_ = packer.matrix("wte");
  positions_ = packer.vector("wpe.weight");
  for (std::int64_t i = 0; i < config_.n_layer; ++i) {
    std::string layer = "h." + std::to_string(i);
    layers_.push_back(Layer{
        .attention_norm = norm(layer + ".ln_1"),
        .mlp_norm = norm(layer + ".ln_2"),
        .attention = packer.matrix(layer + ".attn.c_attn"),
        .attention_projection = packer.matrix(layer + ".attn.c_proj"),
        .mlp_inner = packer.matrix(layer + ".mlp.c_fc"),
        .mlp_projection = packer.matrix(layer + ".mlp.c_proj"),
        .score_scale = score_scale(config_, i),
    });
  }
  final_norm_ = norm("ln_f");
  if (!config_.tie_word_embeddings) head_ = packer.matrix("lm_head");
  if (!checkpoint.quantised.empty()) owners_ = checkpoint.owners;
}

std::size_t Model::weight_bytes() const {
  std::size_t bytes = token_embedding_.bytes() + head_.bytes() + positions_.size() * sizeof(float);
  for (const Layer& layer : layers_) {
    bytes += layer.attention.bytes() + layer.attention_projection.bytes() +
             layer.mlp_inner.bytes() + layer.mlp_projection.bytes();
  }
  return bytes;
}

}  // namespace chorus::model

#include "checkpoint/gpt2/completion.h"

#include <fmt/format.h>

#include <algorithm>

#include "checkpoint/gpt2/limits.h"
#include "checkpoint/gpt2/names.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

using Tensors = std::map<std::string, Tensor>;

constexpr std::int64_t kUsualHeadSize = 64;

// The stated size, or the size of dimension `axis` of the matrix `name`.
Result<std::int64_t> stated_or_shape(const std::optional<std::int64_t>& stated,
                                     const Tensors& tensors, const std::string& name,
                                     std::size_t axis) {
  if (stated) return *stated;
  auto found = tensors.find(name);
  if (found == tensors.end()) {
    return Error{ErrorCode::kCorrupt, "missing tensor " + in_quotes(name)};
  }
  const std::vector<std::int64_t>& shape = found->second.shape;
  if (shape.size() != 2) {
    return Error{ErrorCode::kCorrupt, "tensor " + in_quotes(name) + " has the wrong shape: found " +
                                          shape_text(shape) + ", expected two dimensions"};
  }
  return shape[axis];
}

std::int64_t count_layers(const Tensors& tensors) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : tensors) {
    if (auto parts = split_layer(name)) count = std::max(count, parts->layer + 1);
  }
  return count;
}

bool has_biases(const Tensors& tensors) {
  return std::ranges::any_of(tensors, [](const auto& item) {
    return item.first == "ln_f.bias" || (split_layer(item.first) && item.first.ends_with(".bias"));
  });
}

Result<std::int64_t> choose_head_count(const ConfigFields& stated, std::int64_t n_embd,
                                       const OpenOptions& options) {
  if (stated.n_head) {
    if (options.n_head && *options.n_head != *stated.n_head) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("--n-head {} contradicts the config of the file, whose n_head is {}",
                               *options.n_head, *stated.n_head)};
    }
    return *stated.n_head;
  }
  if (options.n_head) {
    if (*options.n_head < 1 || n_embd % *options.n_head != 0) {
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format("--n-head {} does not divide n_embd, which is {}", *options.n_head, n_embd)};
    }
    return *options.n_head;
  }
  if (n_embd % kUsualHeadSize == 0) return n_embd / kUsualHeadSize;
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("the file does not state n_head, and n_embd {} is not made of heads of "
                           "{}: give the number of heads with --n-head",
                           n_embd, kUsualHeadSize)};
}

}  // namespace

Result<ModelConfig> complete_config(const ConfigFields& stated, const Tensors& tensors,
                                    const OpenOptions& options) {
  ModelConfig config;
  CHORUS_TRY(config.vocab_size, stated_or_shape(stated.vocab_size, tensors, "wte.weight", 0));
  CHORUS_TRY(config.n_embd, stated_or_shape(stated.n_embd, tensors, "wte.weight", 1));
  CHORUS_TRY(config.block_size, stated_or_shape(stated.block_size, tensors, "wpe.weight", 0));
  config.n_layer = stated.n_layer.value_or(std::max<std::int64_t>(count_layers(tensors), 1));
  CHORUS_TRY(config.n_inner, stated_or_shape(stated.n_inner, tensors, "h.0.mlp.c_fc.weight", 0));
  CHORUS_TRY(check_size("n_embd", config.n_embd, kLargestEmbedding));
  CHORUS_TRY(config.n_head, choose_head_count(stated, config.n_embd, options));
  config.activation = stated.activation.value_or(config.activation);
  config.layer_norm_epsilon = stated.layer_norm_epsilon.value_or(config.layer_norm_epsilon);
  config.bias = stated.bias.value_or(has_biases(tensors));
  config.tie_word_embeddings = stated.tie_word_embeddings.value_or(true);
  config.scale_attn_weights = stated.scale_attn_weights.value_or(true);
  config.scale_attn_by_inverse_layer_idx = stated.scale_attn_by_inverse_layer_idx.value_or(false);
  CHORUS_TRY(check_config(config));
  return config;
}

}  // namespace chorus::checkpoint

#include "checkpoint/gpt2/names.h"

#include <fmt/format.h>

#include <charconv>

namespace chorus::checkpoint {
namespace {

void add(std::vector<ExpectedTensor>& list, const ModelConfig& config, const std::string& name,
         std::vector<std::int64_t> weight_shape) {
  std::int64_t outputs = weight_shape[0];
  list.push_back({name + ".weight", std::move(weight_shape)});
  if (config.bias) list.push_back({name + ".bias", {outputs}});
}

}  // namespace

std::vector<ExpectedTensor> tensors_outside_layers(const ModelConfig& config) {
  std::vector<ExpectedTensor> list = {{"wte.weight", {config.vocab_size, config.n_embd}},
                                      {"wpe.weight", {config.block_size, config.n_embd}}};
  add(list, config, "ln_f", {config.n_embd});
  return list;
}

std::vector<ExpectedTensor> tensors_of_layer(const ModelConfig& config, std::int64_t layer) {
  const std::int64_t embedding = config.n_embd;
  const std::int64_t inner = config.n_inner;
  std::string prefix = fmt::format("h.{}.", layer);
  std::vector<ExpectedTensor> list;
  add(list, config, prefix + "ln_1", {embedding});
  add(list, config, prefix + "attn.c_attn", {3 * embedding, embedding});
  add(list, config, prefix + "attn.c_proj", {embedding, embedding});
  add(list, config, prefix + "ln_2", {embedding});
  add(list, config, prefix + "mlp.c_fc", {inner, embedding});
  add(list, config, prefix + "mlp.c_proj", {embedding, inner});
  return list;
}

std::string_view without_prefixes(std::string_view name) {
  constexpr std::string_view kPrefixes[] = {"_orig_mod.", "module.", "transformer."};
  for (bool found = true; found;) {
    found = false;
    for (std::string_view prefix : kPrefixes) {
      if (!name.starts_with(prefix)) continue;
      name.remove_prefix(prefix.size());
      found = true;
    }
  }
  return name;
}

std::optional<LayerName> split_layer(std::string_view name) {
  if (!name.starts_with("h.")) return std::nullopt;
  name.remove_prefix(2);
  std::size_t dot = name.find('.');
  // Nine digits cannot overflow; a leading zero would give one layer two names.
  if (dot == std::string_view::npos || dot == 0 || dot > 9) return std::nullopt;
  if (name[0] == '0' && dot > 1) return std::nullopt;
  std::int64_t layer = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + dot, layer);
  if (error != std::errc() || end != name.data() + dot || layer < 0) return std::nullopt;
  return LayerName{layer, name.substr(dot + 1)};
}

bool is_mask_buffer(std::string_view name) {
  auto parts = split_layer(name);
  return parts && (parts->rest == "attn.bias" || parts->rest == "attn.masked_bias");
}

bool is_conv1d_weight(std::string_view name) {
  auto parts = split_layer(name);
  return parts && (parts->rest == "attn.c_attn.weight" || parts->rest == "attn.c_proj.weight" ||
                   parts->rest == "mlp.c_fc.weight" || parts->rest == "mlp.c_proj.weight");
}

}  // namespace chorus::checkpoint

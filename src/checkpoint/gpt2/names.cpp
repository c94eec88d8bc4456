#include "checkpoint/gpt2/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace chorus::checkpoint {
namespace {

constexpr std::ptrdiff_t kMostParts = 64;  // of a name; GPT-2's own have five

void add(std::vector<ExpectedTensor>& list, const ModelConfig& config, const std::string& name,
         std::vector<std::int64_t> weight_shape) {
  std::int64_t outputs = weight_shape[0];
  list.push_back({name + ".weight", std::move(weight_shape)});
  if (config.bias) list.push_back({name + ".bias", {outputs}});
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0;;) {
    std::size_t end = text.find(separator, start);
    parts.push_back(text.substr(start, end - start));
    if (end == std::string_view::npos) return parts;
    start = end + 1;
  }
}

std::string join(const std::vector<std::string_view>& parts, std::size_t begin, std::size_t end) {
  std::string text;
  for (std::size_t i = begin; i < end; ++i) {
    if (i > begin) text += '.';
    text += parts[i];
  }
  return text;
}

// Part of a name: "ema", "model_ema", "ema_module", "AveragedModel" and the like.
bool is_average(std::string_view part) {
  constexpr std::string_view kWords[] = {"ema", "swa", "shadow", "averaged", "averagedmodel"};
  std::string lower(part);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return std::ranges::any_of(split(lower, '_'), [&](std::string_view word) {
    return std::ranges::find(kWords, word) != std::end(kWords);
  });
}

// The attribute under which a wrapper keeps its module. torch.compile has _orig_mod, FSDP
// _fsdp_wrapped_module, its activation checkpointing _checkpoint_wrapped_module, Opacus _module,
// DataParallel and DeepSpeed module, PEFT base_layer; a leading underscore marks more of the kind.
// The others are what people call the model itself. GPT-2's own names hold none of these.
bool is_wrapper(std::string_view part) {
  constexpr std::string_view kNames[] = {
      "module", "model", "base_model", "base_layer", "pretrained_model", "transformer",
      "gpt",    "gpt2",  "net",        "network",    "backbone"};
  if (is_average(part)) return false;
  if (part == "_flat_param") return false;  // a whole module's weights as one vector
  if (part.starts_with('_') || part.ends_with("_module")) return true;
  return std::ranges::find(kNames, part) != std::end(kNames);
}

std::vector<std::string_view> without_wrappers(std::vector<std::string_view> parts) {
  std::erase_if(parts, is_wrapper);
  return parts;
}

bool is_number(std::string_view part) {
  return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
}

bool begins_plain_name(const std::vector<std::string_view>& parts, std::size_t i) {
  constexpr std::string_view kOutside[] = {"wte", "wpe", "ln_f", "lm_head"};
  if (parts[i] == "h") return i + 2 < parts.size() && is_number(parts[i + 1]);
  return i + 2 == parts.size() && std::ranges::find(kOutside, parts[i]) != std::end(kOutside);
}

// "gamma" and "beta", as layer norms' weight and bias were called in 2019.
void rename_old_norms(std::string& name) {
  constexpr std::pair<std::string_view, std::string_view> kRenamed[] = {{".gamma", ".weight"},
                                                                        {".beta", ".bias"}};
  for (auto [old_name, new_name] : kRenamed) {
    if (!name.ends_with(old_name) || name.find("ln_") == std::string::npos) continue;
    name.replace(name.size() - old_name.size(), old_name.size(), new_name);
  }
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

std::optional<SplitName> split_name(std::string_view file_name) {
  if (std::ranges::count(file_name, '.') > kMostParts) return std::nullopt;
  std::vector<std::string_view> parts = without_wrappers(split(file_name, '.'));
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    if (!begins_plain_name(parts, i)) continue;
    SplitName result{join(parts, i, parts.size()), join(parts, 0, i)};
    rename_old_norms(result.plain);
    return result;
  }
  return std::nullopt;
}

bool is_of_an_average(std::string_view file_name) {
  if (std::ranges::count(file_name, '.') > kMostParts) return false;
  return std::ranges::any_of(split(file_name, '.'), is_average);
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
  if (!parts || !parts->rest.starts_with("attn.")) return false;
  std::string_view buffer = parts->rest.substr(5);
  constexpr std::string_view kBuffers[] = {"bias", "masked_bias", "mask", "causal_mask", "tril"};
  return std::ranges::find(kBuffers, buffer) != std::end(kBuffers);
}

bool is_conv1d_weight(std::string_view name) {
  auto parts = split_layer(name);
  return parts && (parts->rest == "attn.c_attn.weight" || parts->rest == "attn.c_proj.weight" ||
                   parts->rest == "mlp.c_fc.weight" || parts->rest == "mlp.c_proj.weight");
}

}  // namespace chorus::checkpoint

#include "checkpoint/safetensors/huggingface.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "checkpoint/foreign.h"
#include "checkpoint/gpt2/config_json.h"
#include "checkpoint/gpt2/names.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/safetensors/metadata.h"
#include "checkpoint/safetensors/quantised.h"
#include "checkpoint/shards.h"
#include "checkpoint/weights_file.h"
#include "core/error_text.h"
#include "core/placeholder.h"

namespace chorus::checkpoint {
namespace {

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Result<void> read_config_file(const std::string& path, RawCheckpoint& raw) {
  CHORUS_TRY(Bytes bytes, map_file(path));
  if (auto message = placeholder_message(bytes.text())) {
    return Error{ErrorCode::kUnsupported, path + ": " + *message};
  }
  CHORUS_TRY(raw.config, in_place(parse_config_json(bytes.text()), path));
  return ok();
}

// safetensors' save_model writes a tensor of two names once, and the other name into the metadata.
void add_aliases(SafetensorsContent& content) {
  for (const auto& [alias, name] : content.metadata) {
    auto found = content.tensors.find(name);
    if (found == content.tensors.end() || content.other_tensors.contains(alias)) continue;
    Tensor tensor = found->second;
    content.tensors.emplace(alias, std::move(tensor));
  }
}

// Reads one file; the matrices that are quantised go to `raw`.
Result<SafetensorsContent> read_file(const Bytes& bytes, RawCheckpoint& raw) {
  CHORUS_TRY(SafetensorsContent content, read_safetensors(bytes));
  add_aliases(content);
  CHORUS_TRY(take_quantised(content, bytes, raw));
  raw.conv1d_layout = true;
  if (bytes.owner) raw.owners.push_back(bytes.owner);
  return content;
}

// Adds the weights of the folder, in the order in which transformers looks for them. False if it has
// none.
Result<bool> read_weights(const std::filesystem::path& folder, RawCheckpoint& raw) {
  for (const char* name : {"model.safetensors", "pytorch_model.bin"}) {
    std::string path = folder / name;
    if (exists(path)) {
      CHORUS_TRY(Bytes bytes, map_file(path));
      CHORUS_TRY(raw, read_weights_file(bytes));
      return true;
    }
    if (exists(path + ".index.json")) {
      CHORUS_TRY(read_shards(path + ".index.json", raw));
      return true;
    }
  }
  return false;
}

bool has_conv1d_layout(const RawCheckpoint& raw) {
  return std::ranges::any_of(raw.tensors, [](const auto& item) {
    std::optional<SplitName> split = split_name(item.first);
    auto parts = split ? split_layer(split->plain) : std::nullopt;
    const auto& shape = item.second.shape;
    return parts && parts->rest == "attn.c_attn.weight" && shape.size() == 2 && shape[1] % 3 == 0 &&
           shape[1] / 3 == shape[0];
  });
}

}  // namespace

Result<void> read_config_beside(const std::string& beside, RawCheckpoint& raw) {
  if (!raw.config.stated.empty() || !exists(beside) || !has_conv1d_layout(raw)) return ok();
  raw.format = "huggingface";
  raw.origin = Origin::kTransformers;
  return read_config_file(beside, raw);
}

Result<RawCheckpoint> read_huggingface_folder(const std::string& given) {
  CHORUS_TRY(ModelFolder folder, find_model_folder(given));
  std::filesystem::path place(folder.path);
  std::string config = place / "config.json";
  const bool has_config = exists(config);
  RawCheckpoint raw;
  raw.origin = Origin::kTransformers;
  CHORUS_TRY(bool has_weights, read_weights(place, raw));
  if (!has_weights) return foreign_folder(folder.path, has_config ? "weights" : "config.json");
  raw.notes.insert(raw.notes.begin(), folder.notes.begin(), folder.notes.end());
  if (exists(place / "adapter_config.json")) {
    raw.notes.emplace_back(
        "an adapter (adapter_config.json) lies beside the model and is not applied, which "
        "transformers "
        "does where PEFT is installed: if the weights do not hold it yet, merge it "
        "(model.merge_and_unload().save_pretrained(folder)) and give that folder");
  }
  raw.path = folder.path;
  if (raw.format.empty()) raw.format = "huggingface";
  if (!has_config) return raw;
  // Whatever the weights' file says of it.
  if (raw.format == "pytorch") raw.origin = Origin::kTransformers;
  raw.format = "huggingface";
  raw.conv1d_layout = true;
  raw.problem.reset();
  CHORUS_TRY(read_config_file(config, raw));
  return raw;
}

Result<RawCheckpoint> read_lone_safetensors(const Bytes& bytes, const std::string& beside) {
  RawCheckpoint raw;
  raw.path = bytes.name;
  raw.format = "safetensors";
  CHORUS_TRY(SafetensorsContent content, read_file(bytes, raw));
  if (!has_own_config(content.metadata)) raw.origin = Origin::kTransformers;
  CHORUS_TRY(in_place(read_own_figures(content.metadata, raw), bytes.name));
  if (has_own_config(content.metadata)) {
    CHORUS_TRY(in_place(read_own_config(content.metadata, raw), bytes.name));
  } else if (!beside.empty() && exists(beside)) {
    raw.format = "huggingface";
    CHORUS_TRY(read_config_file(beside, raw));
  } else {
    raw.problem = Error{ErrorCode::kUnsupported,
                        bytes.name +
                            ": a safetensors file without a config; expected 'chorus.config' in "
                            "its metadata, or config.json beside it"};
  }
  raw.tensors = std::move(content.tensors);
  raw.other_tensors = std::move(content.other_tensors);
  return raw;
}

}  // namespace chorus::checkpoint

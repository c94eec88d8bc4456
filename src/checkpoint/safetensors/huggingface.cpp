#include "checkpoint/safetensors/huggingface.h"

#include <boost/json/object.hpp>
#include <filesystem>
#include <set>
#include <system_error>

#include "checkpoint/gpt2/config_json.h"
#include "checkpoint/safetensors/metadata.h"
#include "checkpoint/safetensors/quantised.h"
#include "core/error_text.h"
#include "core/printable.h"
#include "json/parse.h"

namespace chorus::checkpoint {
namespace {

constexpr const char* kPytorchName = "pytorch_model.bin";
constexpr const char* kIndexName = "model.safetensors.index.json";

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Result<void> read_config_file(const std::string& path, RawCheckpoint& raw) {
  CHORUS_TRY(Bytes bytes, map_file(path));
  CHORUS_TRY(raw.config, in_place(parse_config_json(bytes.text()), path));
  return ok();
}

// Adds the tensors of one file to `raw`.
Result<SafetensorsContent> read_file(const Bytes& bytes, RawCheckpoint& raw) {
  CHORUS_TRY(SafetensorsContent content, read_safetensors(bytes));
  CHORUS_TRY(take_quantised(content, bytes, raw));
  raw.conv1d_layout = true;
  if (bytes.owner) raw.owners.push_back(bytes.owner);
  return content;
}

// `shard` as the index names it: a file of the folder itself, nothing above or below it.
Result<void> check_shard_name(const std::string& shard) {
  bool is_plain = !shard.empty() && shard != "." && shard != ".." &&
                  shard.find('/') == std::string::npos && shard.find('\\') == std::string::npos &&
                  shard.find('\0') == std::string::npos;
  if (is_plain) return ok();
  return Error{ErrorCode::kCorrupt,
               "the shard " + in_quotes(shard) + " is not the plain name of a file of the folder"};
}

using WeightMap = std::map<std::string, std::string>;  // tensor to shard

Result<WeightMap> parse_index(std::string_view text) {
  CHORUS_TRY(boost::json::object root, parse_json_object(text));
  const boost::json::value* map = root.if_contains("weight_map");
  if (!map || !map->is_object()) {
    return Error{ErrorCode::kCorrupt, "'weight_map' is missing or not an object"};
  }
  WeightMap weight_map;
  for (const auto& [tensor, shard] : map->get_object()) {
    if (!shard.is_string()) {
      return Error{ErrorCode::kCorrupt, "'weight_map' gives tensor " + in_quotes(tensor) +
                                            " a shard that is not a string"};
    }
    CHORUS_TRY(check_shard_name(std::string(shard.get_string())));
    weight_map.emplace(tensor, shard.get_string());
  }
  return weight_map;
}

// Moves `content` into `raw`. `path` names the file.
Result<void> merge(SafetensorsContent content, const std::string& path, RawCheckpoint& raw) {
  raw.tensors.merge(content.tensors);
  raw.other_tensors.merge(content.other_tensors);
  if (content.tensors.empty() && content.other_tensors.empty()) return ok();
  const std::string& name = content.tensors.empty() ? content.other_tensors.begin()->first
                                                    : content.tensors.begin()->first;
  return Error{ErrorCode::kCorrupt,
               path + ": tensor " + in_quotes(name) + " stands in another shard too"};
}

Result<void> read_shards(const std::filesystem::path& folder, RawCheckpoint& raw) {
  std::string index_path = folder / kIndexName;
  CHORUS_TRY(Bytes index, map_file(index_path));
  CHORUS_TRY(WeightMap weight_map, in_place(parse_index(index.text()), index_path));
  std::map<std::string, std::set<std::string>> tensors_of_shard;
  for (const auto& [tensor, shard] : weight_map) tensors_of_shard[shard].insert(tensor);
  for (const auto& [shard, tensors] : tensors_of_shard) {
    std::string path = folder / shard;
    CHORUS_TRY(Bytes bytes, map_file(path));
    CHORUS_TRY(SafetensorsContent content, read_file(bytes, raw));
    for (const std::string& tensor : tensors) {
      if (!content.tensors.contains(tensor) && !content.other_tensors.contains(tensor)) {
        return Error{ErrorCode::kCorrupt, path + ": missing tensor " + in_quotes(tensor) +
                                              ", which the index places here"};
      }
    }
    CHORUS_TRY(merge(std::move(content), path, raw));
  }
  return ok();
}

Result<void> read_single(const std::string& path, RawCheckpoint& raw) {
  CHORUS_TRY(Bytes bytes, map_file(path));
  CHORUS_TRY(SafetensorsContent content, read_file(bytes, raw));
  CHORUS_TRY(in_place(read_own_figures(content.metadata, raw), path));
  return merge(std::move(content), path, raw);
}

}  // namespace

Result<RawCheckpoint> read_huggingface_folder(const std::string& folder) {
  std::filesystem::path place(folder);
  std::string config = place / "config.json";
  std::string single = place / "model.safetensors";
  if (!exists(config)) {
    if (!exists(single)) {
      return Error{ErrorCode::kNotFound,
                   folder +
                       ": a folder without config.json; expected one with config.json and "
                       "model.safetensors, its shards and index, or pytorch_model.bin"};
    }
    CHORUS_TRY(Bytes bytes, map_file(single));
    return read_lone_safetensors(bytes, config);
  }
  RawCheckpoint raw;
  raw.origin = Origin::kTransformers;
  if (exists(single)) {
    CHORUS_TRY(read_single(single, raw));
  } else if (exists(place / kIndexName)) {
    CHORUS_TRY(read_shards(place, raw));
  } else if (exists(place / kPytorchName)) {
    CHORUS_TRY(Bytes bytes, map_file(place / kPytorchName));
    CHORUS_TRY(raw, read_pytorch(bytes));
    raw.origin = Origin::kTransformers;
  } else {
    return Error{ErrorCode::kNotFound,
                 folder +
                     ": a folder without weights; expected model.safetensors, "
                     "model.safetensors.index.json or pytorch_model.bin beside config.json"};
  }
  raw.path = folder;
  raw.format = "huggingface";
  raw.conv1d_layout = true;
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
    return Error{ErrorCode::kUnsupported,
                 bytes.name +
                     ": a safetensors file without a config; expected 'chorus.config' in "
                     "its metadata, or config.json beside it"};
  }
  CHORUS_TRY(merge(std::move(content), bytes.name, raw));
  return raw;
}

}  // namespace chorus::checkpoint

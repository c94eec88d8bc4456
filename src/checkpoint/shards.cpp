#include "checkpoint/shards.h"

#include <boost/json/object.hpp>
#include <filesystem>
#include <map>
#include <set>

#include "checkpoint/foreign.h"
#include "checkpoint/weights_file.h"
#include "core/error_text.h"
#include "core/placeholder.h"
#include "core/printable.h"
#include "json/parse.h"

namespace chorus::checkpoint {
namespace {

// `shard` as the index names it: a file of the folder itself, nothing above or below it.
Result<void> check_shard_name(const std::string& shard) {
  bool is_plain = !shard.empty() && shard != "." && shard != ".." &&
                  shard.find('/') == std::string::npos && shard.find('\\') == std::string::npos &&
                  shard.find('\0') == std::string::npos;
  if (is_plain) return ok();
  return corrupt("the shard " + in_quotes(shard) +
                 " is not the plain name of a file of the folder");
}

using TensorsOfShard = std::map<std::string, std::set<std::string>>;

Result<TensorsOfShard> parse_index(std::string_view text) {
  if (auto message = placeholder_message(text)) return Error{ErrorCode::kUnsupported, *message};
  CHORUS_TRY(boost::json::object root, parse_json_object(text));
  const boost::json::value* map = root.if_contains("weight_map");
  if (!map || !map->is_object()) return corrupt("'weight_map' is missing or not an object");
  TensorsOfShard shards;
  for (const auto& [tensor, shard] : map->get_object()) {
    if (!shard.is_string()) {
      return corrupt("'weight_map' gives tensor " + in_quotes(tensor) +
                     " a shard that is not a string");
    }
    CHORUS_TRY(check_shard_name(std::string(shard.get_string())));
    shards[std::string(shard.get_string())].insert(tensor);
  }
  return shards;
}

}  // namespace

Result<void> merge(RawCheckpoint part, const std::string& path, RawCheckpoint& raw) {
  raw.tensors.merge(part.tensors);
  raw.other_tensors.merge(part.other_tensors);
  raw.quantised.merge(part.quantised);
  std::ranges::move(part.owners, std::back_inserter(raw.owners));
  std::ranges::move(part.notes, std::back_inserter(raw.notes));
  if (part.tensors.empty() && part.other_tensors.empty()) return ok();
  const std::string& name =
      part.tensors.empty() ? part.other_tensors.begin()->first : part.tensors.begin()->first;
  return corrupt(path + ": tensor " + in_quotes(name) + " stands in another shard too");
}

Result<void> read_shards(const std::string& index_path, RawCheckpoint& raw) {
  std::filesystem::path folder = std::filesystem::path(index_path).parent_path();
  CHORUS_TRY(Bytes index, map_file(index_path));
  CHORUS_TRY(TensorsOfShard shards, in_place(parse_index(index.text()), index_path));
  for (const auto& [shard, tensors] : shards) {
    std::string path = folder / shard;
    CHORUS_TRY(Bytes bytes, map_file(path));
    CHORUS_TRY(RawCheckpoint part, read_weights_file(bytes));
    for (const std::string& tensor : tensors) {
      if (!part.tensors.contains(tensor) && !part.other_tensors.contains(tensor)) {
        return corrupt(path + ": missing tensor " + in_quotes(tensor) +
                       ", which the index places here");
      }
    }
    CHORUS_TRY(merge(std::move(part), path, raw));
  }
  return ok();
}

}  // namespace chorus::checkpoint

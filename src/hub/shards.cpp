#include "hub/shards.h"

#include <boost/json.hpp>
#include <set>

#include "core/bytes.h"
#include "hub/names.h"

namespace chorus::hub {

Result<std::vector<std::string>> shards_of_index(const std::string& index_path) {
  CHORUS_TRY(Bytes bytes, map_file(index_path));
  boost::system::error_code error;
  boost::json::value index = boost::json::parse(bytes.text(), error);
  if (error) return Error{ErrorCode::kCorrupt, index_path + ": not JSON: " + error.message()};
  const boost::json::object* root = index.if_object();
  const boost::json::value* weight_map =
      root == nullptr ? nullptr : root->if_contains("weight_map");
  const boost::json::object* files = weight_map == nullptr ? nullptr : weight_map->if_object();
  if (files == nullptr || files->empty()) {
    return Error{ErrorCode::kCorrupt,
                 index_path + ": expected an object \"weight_map\" with names"};
  }
  std::set<std::string> shards;
  for (const auto& [tensor, file] : *files) {
    const boost::json::string* name = file.if_string();
    std::string shard = name == nullptr ? "" : std::string(*name);
    if (!is_plain_name(shard) || !shard.ends_with(".safetensors")) {
      return Error{ErrorCode::kCorrupt,
                   index_path + ": tensor \"" + std::string(tensor) + "\" is in \"" + shard +
                       "\", expected a plain file name ending in .safetensors"};
    }
    shards.insert(std::move(shard));
  }
  return std::vector<std::string>(shards.begin(), shards.end());
}

}  // namespace chorus::hub

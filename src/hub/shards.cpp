#include "hub/shards.h"

#include <set>

#include "core/bytes.h"
#include "core/error_text.h"
#include "hub/names.h"
#include "json/fields.h"
#include "json/parse.h"

namespace chorus::hub {

Result<std::vector<std::string>> shards_of_index(const std::string& index_path) {
  CHORUS_TRY(Bytes bytes, map_file(index_path));
  CHORUS_TRY(boost::json::object index, in_place(parse_json_object(bytes.text()), index_path));
  JsonFields fields(index);
  fields.require("weight_map", "an object of tensors and their files");
  const boost::json::value* weight_map = fields.find("weight_map");
  if (weight_map != nullptr && (!weight_map->is_object() || weight_map->get_object().empty())) {
    fields.refuse("weight_map", "an object of tensors and their files, not empty");
  }
  if (auto error = fields.error()) {
    return Error{ErrorCode::kCorrupt, index_path + ": " + error->message()};
  }
  std::set<std::string> shards;
  for (const auto& [tensor, file] : weight_map->get_object()) {
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

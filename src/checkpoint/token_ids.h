// The ids that begin and end texts, as config.json and generation_config.json state them. Pure
// functions.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {

// A field is empty where the file does not state it, and has no ids where it states null.
struct StatedTokenIds {
  std::optional<std::vector<std::int32_t>> bos, eos, pad;
};

// bos_token_id, eos_token_id (one id or several), pad_token_id. Errors: kCorrupt, by field.
Result<StatedTokenIds> read_token_ids(const boost::json::object& config);

// The same fields, as `"bos_token_id":0,"eos_token_id":[0,5],"pad_token_id":null`.
std::string token_ids_fields(const TokenIds& ids);

// What both files say together, in a vocabulary of that size: generation_config.json has the last
// word, as in transformers; what neither states is `otherwise`. Ids that the vocabulary does not
// have are left out, and named in `notes` if a file states them.
TokenIds resolve_token_ids(const StatedTokenIds& config, const StatedTokenIds& generation,
                           const TokenIds& otherwise, std::int64_t vocab_size,
                           std::vector<std::string>& notes);

}  // namespace chorus::checkpoint

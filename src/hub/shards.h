// Which files hold a model's weights, as `model.safetensors.index.json` lists them:
//   {"metadata": {...}, "weight_map": {"wte.weight": "model-00001-of-00002.safetensors", ...}}
#pragma once

#include <string>
#include <vector>

#include "chorus/error.h"

namespace chorus::hub {

// Each file once, by name. Only plain names that end in .safetensors are let through.
// Errors: kNotFound, kIo, kCorrupt.
Result<std::vector<std::string>> shards_of_index(const std::string& index_path);

}  // namespace chorus::hub

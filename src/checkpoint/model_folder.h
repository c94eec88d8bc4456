// The folder that holds a model, where a folder around it is given: a model's in Hugging Face's
// cache (models--OWNER--NAME/snapshots/HASH), or a trainer's with its checkpoint-STEP folders. Looks
// at names only.
#pragma once

#include <string>
#include <vector>

#include "chorus/error.h"

namespace chorus::checkpoint {

struct ModelFolder {
  std::string path;
  std::vector<std::string> notes;  // that it is another than the one given
};

// The folder itself, if a file of weights or config.json is in it, or none of those folders; else
// the one such folder in it. Errors: kNotFound for several, with their names.
Result<ModelFolder> find_model_folder(const std::string& folder);

}  // namespace chorus::checkpoint

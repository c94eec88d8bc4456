// Hugging Face's folder of a GPT-2: config.json with model.safetensors or PyTorch's
// pytorch_model.bin, or with their shards and index. Reads files; keeps nothing.
#pragma once

#include <string>

#include "checkpoint/raw.h"
#include "checkpoint/safetensors/safetensors.h"

namespace chorus::checkpoint {

// `folder` may be one around it, see model_folder.h. Errors: kNotFound for a folder without these
// files, with what it holds; else as open()'s.
Result<RawCheckpoint> read_huggingface_folder(const std::string& folder);

// Gives a state_dict in Hugging Face's layout that states no config that of the file `beside`, if
// there is one: what a folder's pytorch_model.bin is when it is given by itself.
Result<void> read_config_beside(const std::string& beside, RawCheckpoint& raw);

// One safetensors file. Its config is the one in its metadata, or else that of a config.json beside
// it; `beside` is the path of that file, empty if there can be none.
// If there is none, `problem` says so.
Result<RawCheckpoint> read_lone_safetensors(const Bytes& bytes, const std::string& beside);

}  // namespace chorus::checkpoint

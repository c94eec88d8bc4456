// Hugging Face's folder of a GPT-2: config.json with model.safetensors, or with shards and their
// index, or with PyTorch's pytorch_model.bin. Reads files; keeps nothing.
#pragma once

#include <string>

#include "checkpoint/raw.h"
#include "checkpoint/safetensors/safetensors.h"

namespace chorus::checkpoint {

// Errors: kNotFound for a folder without these files; else as open()'s.
Result<RawCheckpoint> read_huggingface_folder(const std::string& folder);

// One safetensors file. Its config is the one in its metadata, or else that of a config.json beside
// it; `beside` is the path of that file, empty if there can be none.
// Errors: kUnsupported if there is no config.
Result<RawCheckpoint> read_lone_safetensors(const Bytes& bytes, const std::string& beside);

}  // namespace chorus::checkpoint

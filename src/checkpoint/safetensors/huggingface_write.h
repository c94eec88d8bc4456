// Writes a Checkpoint as a Hugging Face folder that transformers loads: config.json,
// generation_config.json, model.safetensors and the tokenizer's files.
#pragma once

#include <cstdint>
#include <string>

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {

// Makes the folder if it is not there, and replaces these files in it; config.json comes last, so
// that a folder without it is not whole. A model without biases gets such of zeros, which compute
// the same, since transformers' GPT-2 has them always. Returns the length of the weights in bytes.
// Errors: as write_safetensors'; kUnsupported for quantised weights, which transformers cannot
// read.
Result<std::uint64_t> write_huggingface_folder(const Checkpoint& checkpoint,
                                               const std::string& folder, NumberFormat dtype);

}  // namespace chorus::checkpoint

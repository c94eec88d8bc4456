// Reads the safetensors format: named tensors and strings of metadata, nothing about models. Views
// into the given bytes; nothing is copied. Pure functions.
//
// Format (github.com/huggingface/safetensors, as of version 0.4), little-endian:
//   file     := header_length:u64  header:JSON[header_length]  data
//   header   := { "__metadata__": {string: string}, NAME: tensor, ... }, padded with spaces
//   tensor   := {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}   bytes of `data`
// Tensors are row-major and may not overlap. Gaps and bytes after the last tensor are let pass.
#pragma once

#include <map>
#include <string>

#include "checkpoint/raw.h"
#include "core/bytes.h"

namespace chorus::checkpoint {

// A tensor of type U8, which is whatever its writer means by it.
struct ByteTensor {
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

struct SafetensorsContent {
  std::map<std::string, Tensor> tensors;             // f32, f16 and bf16 ones
  std::map<std::string, OtherTensor> other_tensors;  // of any other type
  std::map<std::string, ByteTensor> byte_tensors;    // those of them that are U8
  std::map<std::string, std::string> metadata;
};

bool looks_like_safetensors(const Bytes& bytes);

// Errors: kCorrupt; the message begins with the name of `bytes`.
Result<SafetensorsContent> read_safetensors(const Bytes& bytes);

}  // namespace chorus::checkpoint

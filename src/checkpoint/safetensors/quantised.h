// Quantised matrices in a safetensors file: which tensors hold them, and what the metadata says of
// their layout. The weights lie as the kernels read them (kernels/integer.h), so that opening such
// a file is mapping it. Pure functions over mapped bytes; the weights themselves are not read.
//
// Format, version 1. A matrix NAME [N, K] (wte.weight, h.{i}.attn.c_attn.weight, ...;
// lm_head.weight if untied) stands as two tensors, or four. P = ceil(N / 32) panels of 32 outputs,
// G = ceil(K / 32) groups of 32 inputs:
//   NAME.int8    U8    [P, G, 8, 32, 4]  weight + 128; or else
//   NAME.int4    U8    [P, G, 4, 32, 4]  weight + 8, two in a byte
//   NAME.scales  BF16  [P, G, 32]        one for each group of each output
//   NAME.common  F32   [K]               what the rows have in common, and
//   NAME.shares  F32   [N]               how much of it each has: both tensors or neither, of any
//                                        float type
// Element (n, k) is integer * scale + shares[n] * common[k]. Outputs from N and inputs from K on
// are padding. Weights and scales begin at multiples of 64 bytes in the file. All other tensors are
// as in any file. In the metadata
//   "chorus.quantised"  {"version": 1, "panel": 32, "int8_group": 32, "int4_group": 32}
#pragma once

#include <map>
#include <string>

#include "checkpoint/raw.h"
#include "checkpoint/safetensors/safetensors.h"

namespace chorus::checkpoint {

constexpr const char* kQuantised = "chorus.quantised";  // the key in the metadata
constexpr std::size_t kFileAlignment = 64;  // of data in a file that Chorus writes: a cache line

// The shapes of a matrix's two tensors in a file.
std::vector<std::int64_t> weights_shape(const QuantisedMatrix& matrix);
std::vector<std::int64_t> scales_shape(const QuantisedMatrix& matrix);

// A matrix of the given size, without its bytes.
QuantisedMatrix empty_quantised(NumberFormat type, std::int64_t outputs, std::int64_t inputs);

std::string quantised_metadata();

// Moves the quantised matrices of `content` to `raw`, if its metadata says that it has some.
// `bytes` is the whole file. Errors: kCorrupt and kUnsupported (another version or layout), naming
// the tensor.
Result<void> take_quantised(SafetensorsContent& content, const Bytes& bytes, RawCheckpoint& raw);

}  // namespace chorus::checkpoint

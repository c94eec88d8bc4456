// A checkpoint: the named tensors of one GPT-2-shaped model as they lie in a file, with the model's
// config. Tensors are views into mapped files; nothing is copied and nothing is computed here.
// Immutable once opened: any thread may read.
//
// Dimensions as in model_config.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/model_config.h"
#include "chorus/number_format.h"
#include "core/bytes.h"
#include "tokenizer/tokenizer.h"

namespace chorus::checkpoint {

// A strided view. Element (i, j, ...) stands at byte (i * strides[0] + j * strides[1] + ...) *
// block_bytes(dtype) from data.data(); every element lies inside `data` (checked when the file is read).
// A file may lay tensors at any byte: data is not necessarily aligned for its type.
struct Tensor {
  NumberFormat dtype = NumberFormat::kF32;  // not a quantised one
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  // in elements, never negative
  std::span<const std::byte> data;

  std::int64_t element_count() const;
  bool is_contiguous() const;  // row-major, without gaps
};

// A matrix as a quantised file holds it: panels of integers, and their scales. Element (n, k) is
// integer * scale + shares[n] * common[k]. Weights and scales begin at multiples of 64 bytes in the
// file.
struct RawQuantised {
  NumberFormat type = NumberFormat::kInt8;  // or kInt4; see kernels/integer.h
  std::int64_t panels = 0, groups = 0;
  std::span<const std::byte> weights;  // [panels][groups][a group's bytes]
  std::span<const std::byte> scales;   // [panels][groups][32] bf16
  std::optional<Tensor> common;        // [inputs]; both or neither
  std::optional<Tensor> shares;        // [outputs]
};

// The same once it is known what it stands for: a matrix [outputs, inputs].
struct QuantisedMatrix : RawQuantised {
  std::int64_t outputs = 0, inputs = 0;
};

// Whose program a checkpoint comes from, as far as the file tells. What the file leaves open is
// decided as that program has it: its activation, its sampling loop.
//   kTalk          the talk's and build-nanogpt's ("config"), and whatever tells nothing
//   kNanoGpt       nanoGPT's ("model_args")
//   kTransformers  Hugging Face's: a folder, a config.json, its layout of matrices
// A converted file keeps the origin of what it was made from.
enum class Origin { kTalk, kNanoGpt, kTransformers };

const char* origin_name(Origin origin);  // "talk", "nanogpt", "transformers"
std::optional<Origin> parse_origin(std::string_view name);

// The ids with a part to play in texts, all of the vocabulary.
struct TokenIds {
  std::optional<std::int32_t> bos;  // begins a text
  std::vector<std::int32_t> eos;    // each of them ends one
  std::optional<std::int32_t> pad;
};

// Where the value of a config field comes from.
enum class ValueSource {
  kStated,   // the file says it
  kOfKind,   // the file does not, and is of a kind in which it is always so
  kDerived,  // shapes or other fields tell it
  kAssumed,  // nothing tells it: a note says so
  kOption,   // the user's
};

const char* value_source_name(ValueSource source);  // "stated", "of its kind", "derived", ...

using ValueSources = std::map<std::string, ValueSource>;  // by the names of ModelConfig's fields

// Tensors are named as Hugging Face names GPT-2's, without "transformer.", and every matrix of a
// linear layer is viewed as [outputs, inputs], whatever the file's layout:
//   wte.weight [V, C]                               wpe.weight [T, C]
//   h.{i}.ln_1.{weight,bias} [C]                    h.{i}.ln_2.{weight,bias} [C]
//   h.{i}.attn.c_attn.{weight [3C, C], bias [3C]}   h.{i}.attn.c_proj.{weight [C, C], bias [C]}
//   h.{i}.mlp.c_fc.{weight [F, C], bias [F]}        h.{i}.mlp.c_proj.{weight [C, F], bias [C]}
//   ln_f.{weight,bias} [C]                          lm_head.weight [V, C] (if untied)
// Biases are all present or all absent (config.bias). Either no matrix is quantised or every one
// but wpe.weight, and then they stand in `quantised`, under the same names, instead.
struct Checkpoint {
  std::string path;    // for messages
  std::string format;  // "pytorch", "safetensors" or "huggingface"
  Origin origin = Origin::kTalk;
  ModelConfig config;
  ValueSources sources;  // of the fields of `config`; activation is called activation_function
  // What the file left open and how it was decided, a sentence each, without a full stop. Whoever
  // opens a checkpoint for a user shows them.
  std::vector<std::string> notes;
  std::optional<std::int64_t> step;
  std::optional<double> val_loss;
  std::map<std::string, Tensor> tensors;
  std::map<std::string, QuantisedMatrix> quantised;
  std::vector<std::shared_ptr<const void>> owners;  // the mapped files

  // Null: the model takes and gives ids alone, and no_tokenizer says why, and what to do about it.
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  std::string no_tokenizer;
  std::string chat_template = {};  // in Jinja, as the model's own files have it; empty: none
  TokenIds token_ids;

  std::int64_t parameter_count() const;  // tied weights once
};

struct OpenOptions {
  std::optional<std::int64_t> n_head = {};    // where the file does not state it
  std::optional<Activation> activation = {};  // whatever the file says
  // "gpt2", "none", or the path of one; empty: the checkpoint's own. See model_tokenizer.h.
  std::optional<std::string> tokenizer = {};
};

// Opens a file or a Hugging Face folder, recognised by content, and checks that every tensor of the
// config is present with its shape. Weights are not read: see find_nonfinite.
// Errors: kNotFound, kIo, kCorrupt, kUnsupported; the message names the file, the tensor or field,
// what was found and what was expected.
Result<Checkpoint> open(const std::string& path, const OpenOptions& options = {});

// The same for one file's bytes that are already in memory.
Result<Checkpoint> open(const Bytes& bytes, const OpenOptions& options = {});

// The name of the first tensor that holds a NaN or an infinity, with the element's index, as
// "h.3.ln_1.weight[17] is nan"; empty if there is none. Reads every weight once, and of quantised
// matrices the scales alone.
std::optional<std::string> find_nonfinite(const Checkpoint& checkpoint);

// kInt4 if any matrix is; empty if none is quantised.
std::optional<NumberFormat> quantised_format(const Checkpoint& checkpoint);

}  // namespace chorus::checkpoint

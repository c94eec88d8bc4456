// What a file says before it is checked against GPT-2: tensors under the names that the file gives
// them, and the config fields that it states. The readers (pytorch.cpp, safetensors.cpp,
// huggingface.cpp) make one; assemble.cpp turns it into a Checkpoint. Plain data.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {

// A field is empty where the file does not state it: completion.h decides it then.
struct ConfigFields {
  std::optional<std::int64_t> block_size, vocab_size, n_layer, n_head, n_embd, n_inner;
  std::optional<std::int64_t> head_size, n_kv_head;  // checked against n_head, or telling it
  std::optional<std::int64_t> preset_n_head;         // of the preset that the file names
  std::optional<Activation> activation;
  std::optional<double> layer_norm_epsilon;
  std::optional<bool> bias, tie_word_embeddings, scale_attn_weights,
      scale_attn_by_inverse_layer_idx;
  // Whose config it is; empty if there is none, or one of unknown make. What is left open is then
  // assumed rather than known.
  std::optional<Origin> kind;
  std::map<std::string, std::string> stated;  // our name of a field to the file's
  ValueSources sources;                       // of what is set
  // A pickled config's bostokenid, eostokenid and padtokenid.
  std::map<std::string, std::vector<std::int64_t>> token_ids;
  std::vector<std::string> notes;             // what of the config is passed over
};

// A tensor of a type that weights are not computed in.
struct OtherTensor {
  std::string type;  // as the file calls it
  std::vector<std::int64_t> shape = {};
  // A 64-bit float's, as Tensor has them (8 bytes an element): weights of that type are rounded to
  // f32. Of other types the data is left empty, unless it is a mask's that must be looked at.
  bool is_f64 = false;
  std::vector<std::int64_t> strides = {};
  std::span<const std::byte> data = {};
  std::size_t element_bytes = 8;  // of `data`
};

// What a file says of its tokenizer. Empty texts: it says nothing.
struct TokenizerHints {
  std::string place;      // the file or folder that it was read from
  std::string dataset;    // nanoGPT's: the folder of data/ in which its meta.pkl may lie
  std::string tokenizer;  // a converted file's: "gpt2", "none" or a tokenizer.json
  std::string token_ids;  // a converted file's or a pickled config's: {"bos_token_id": 1, ...}
};

struct RawCheckpoint {
  std::string path;
  std::string format;                     // as Checkpoint::format
  std::map<std::string, Tensor> tensors;  // f32, f16 and bf16 ones, by the file's own names
  // Tensors of other types (mask buffers and the like): an error only if the model needs one of
  // them and it is not f64.
  std::map<std::string, OtherTensor> other_tensors;
  std::map<std::string, RawQuantised> quantised;
  Origin origin = Origin::kTalk;
  ConfigFields config;
  std::vector<std::string> notes;  // as Checkpoint::notes; assemble() adds its own
  TokenizerHints tokenizer_hints;
  std::optional<std::int64_t> step;
  std::optional<double> val_loss;
  // Why no model can be made of it, though its tensors can be listed: a config that is missing.
  std::optional<Error> problem;
  // Hugging Face's layout: the matrices of c_attn, c_proj and c_fc lie as [inputs, outputs]. The
  // shape of c_attn overrules it.
  bool conv1d_layout = false;
  std::vector<std::shared_ptr<const void>> owners;
};

// A file or a folder, as open() takes it. Errors: as open()'s.
Result<RawCheckpoint> read_raw(const std::string& path);

// Makes the Checkpoint: assemble(), and its tokenizer. Errors: as open()'s.
Result<Checkpoint> finish(RawCheckpoint raw, const OpenOptions& options);

// One of torch.save's two formats.
bool looks_like_pytorch(const Bytes& bytes);
Result<RawCheckpoint> read_pytorch(const Bytes& bytes);

// Names without prefixes, matrices as [outputs, inputs], a whole config, and every tensor checked
// to be there with its shape. Errors as open()'s.
Result<Checkpoint> assemble(RawCheckpoint raw, const OpenOptions& options);

}  // namespace chorus::checkpoint

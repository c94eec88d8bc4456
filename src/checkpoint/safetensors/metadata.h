// What Chorus writes into the metadata of a safetensors file beside the tensors, so that the file
// stands alone: the config, the training step and the validation loss. Pure functions.
//
//   "format"           "pt": what transformers asks for
//   "chorus.config"    the config as one line of JSON, see config_json.h
//   "chorus.assumed"   fields of the config that nothing told when the file was written, if there are
//                      any: "n_head activation_function"
//   "chorus.origin"    whose program the checkpoint comes from: talk, nanogpt or transformers
//   "chorus.tokenizer" "gpt2", "none", or the text of a tokenizer.json
//   "chorus.token_ids" {"bos_token_id": ..., "eos_token_id": ..., "pad_token_id": ...}
//   "chorus.step"      a whole number (if known)
//   "chorus.quantised" the layout of quantised matrices (if there are any), see quantised.h
//   "chorus.val_loss"  a number, in as many digits as give back the same double (if known)
#pragma once

#include <map>
#include <string>

#include "checkpoint/raw.h"

namespace chorus::checkpoint {

bool has_own_config(const std::map<std::string, std::string>& metadata);

// Sets the config of `raw` from metadata that has one.
// Errors: as parse_config_json's.
Result<void> read_own_config(const std::map<std::string, std::string>& metadata,
                             RawCheckpoint& raw);

// Sets origin, tokenizer hints, step and val_loss, where present.
// Errors: kCorrupt for a number that is none; kUnsupported for an origin of another name.
Result<void> read_own_figures(const std::map<std::string, std::string>& metadata,
                              RawCheckpoint& raw);

// `with_tokenizer`: the tokenizer and the token ids, too.
std::map<std::string, std::string> own_metadata(const Checkpoint& checkpoint, bool with_tokenizer);

}  // namespace chorus::checkpoint

// The tensors of a file under GPT-2's own names. Training programs put prefixes and wrappers into
// names (see names.h), store a tensor under two of them, and store averages of the weights, or a
// second model, beside the model. Reads weights only to compare two tensors of one name.
#pragma once

#include <map>
#include <string>

#include "checkpoint/raw.h"

namespace chorus::checkpoint {

struct PlainNames {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, OtherTensor> other_tensors;
  std::map<std::string, RawQuantised> quantised;
  std::map<std::string, std::string> file_names;  // plain name to the file's own
};

// Takes the tensors of `raw`. Mask buffers are left out; a tensor in whose name there is none of
// GPT-2's keeps the name that it has. What is passed over is added to the notes of `raw`.
// Errors: kCorrupt for two tensors of one name whose contents differ; kUnsupported for two models.
Result<PlainNames> make_names_plain(RawCheckpoint& raw);

}  // namespace chorus::checkpoint

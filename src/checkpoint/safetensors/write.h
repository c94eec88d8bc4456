// Writes a Checkpoint as a safetensors file that stands alone (its config is in the metadata, see
// metadata.h) and also serves as model.safetensors in a Hugging Face folder: the names are those of
// openai-community/gpt2, and the Conv1D weights lie as [inputs, outputs]. Same checkpoint and type,
// same bytes.
#pragma once

#include <cstdint>
#include <string>

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {

struct WriteOptions {
  std::string prefix = {};        // before every name but the head's
  bool carries_tokenizer = true;  // in the metadata, with the token ids
};

// A tied lm_head.weight is not written. Quantised matrices are written as they are, see quantised.h
// (and such a file is Chorus's alone); other weights are converted to `dtype`, rounding to nearest
// with ties to even; infinities and NaNs pass. The file appears whole or not at all. Returns its
// length in bytes. Errors: kIo and kNotFound from the file system; kUnsupported if a finite weight
// is too large for `dtype`, with the tensor's name.
Result<std::uint64_t> write_safetensors(const Checkpoint& checkpoint, const std::string& path,
                                        NumberFormat dtype, const WriteOptions& options = {});

// The one type of all weights; f32, which holds every value of the others, if there are several.
NumberFormat common_dtype(const Checkpoint& checkpoint);

}  // namespace chorus::checkpoint

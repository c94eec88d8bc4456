// One file of weights, recognised by its content. Its config is what the file itself states; no
// other file is looked for. Pure but for what is in the bytes.
#pragma once

#include "checkpoint/raw.h"

namespace chorus::checkpoint {

// Errors: as open()'s; kUnsupported for what is neither of PyTorch's formats nor safetensors, with
// what it is.
Result<RawCheckpoint> read_weights_file(const Bytes& bytes);

}  // namespace chorus::checkpoint

// The config in a PyTorch checkpoint: where training programs put it (a dict or an object, of
// whatever class; nested; several at once) and its values. What the fields mean is
// gpt2/config_fields.h's. Pure functions over immutable values; any thread.
#pragma once

#include "checkpoint/pytorch/state_dict.h"
#include "checkpoint/raw.h"

namespace chorus::checkpoint {

// Sets the config fields and the origin of `raw` from what stands beside the weights.
// Errors: read_config_fields()'s; kCorrupt for a "model_args" or "config" that has no fields.
Result<void> read_pytorch_config(PytorchArchive& archive, const StateDict& state_dict,
                                 RawCheckpoint& raw);

}  // namespace chorus::checkpoint

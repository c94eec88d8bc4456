// Which tokenizer a checkpoint's texts are written with, and which ids begin and end them.
#pragma once

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {

// Sets the tokenizer of `checkpoint`, or why it has none, and its token ids.
Result<void> choose_tokenizer(Checkpoint& checkpoint, const OpenOptions& options);

}  // namespace chorus::checkpoint

// Which tokenizer a checkpoint's texts are written with, and which ids begin and end them: of the
// files that lie beside the weights, of what a converted file holds, or by its vocabulary's size.
// Reads files; keeps nothing.
#pragma once

#include <string>

#include "checkpoint/checkpoint.h"
#include "checkpoint/raw.h"
#include "tokenizer/huggingface.h"

namespace chorus::checkpoint {

// Sets the tokenizer of `checkpoint`, or why it has none, and its token ids. A tokenizer that is
// asked for must be there and good; one that was only found may not be, and then the model takes
// ids alone.
// Errors: those of an asked-for tokenizer; kCorrupt for token ids that are none.
Result<void> choose_tokenizer(Checkpoint& checkpoint, const TokenizerHints& hints,
                              const OpenOptions& options);

// "gpt2", or a path: a folder with a tokenizer's files, one of these, a meta.pkl, a converted file.
// Errors: also kUnsupported, by its name, for another kind of tokenizer.
Result<tokenizer::ReadTokenizer> read_tokenizer(const std::string& name);

}  // namespace chorus::checkpoint

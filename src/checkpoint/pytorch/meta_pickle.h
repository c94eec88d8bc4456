// nanoGPT's meta.pkl: the characters of a text, as its prepare.py finds them.
//   {"vocab_size": 65, "itos": {0: "\n", ...}, "stoi": {"\n": 0, ...}}
// itos may be a list; one of itos and stoi may be missing. Read by the interpreter of pickle.h, which
// executes nothing. Pure function.
#pragma once

#include <memory>

#include "core/bytes.h"
#include "tokenizer/tokenizer.h"

namespace chorus::checkpoint {

// Errors: kCorrupt and kUnsupported, naming the file, what was found and what was expected.
Result<std::shared_ptr<const tokenizer::Tokenizer>> read_meta_pickle(const Bytes& bytes);

}  // namespace chorus::checkpoint

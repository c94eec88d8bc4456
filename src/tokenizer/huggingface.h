// Tokenizers as Hugging Face's libraries write them, read and written: tokenizer.json, or vocab.json
// with merges.txt, and what stands beside them. Only what Chorus computes alike is taken: byte-level
// BPE with GPT-2's pattern; all else is refused by its name. Behaviour is that of tokenizers 0.19 and
// transformers 4.40. Pure functions: they read no files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chorus/error.h"
#include "core/bytes.h"
#include "tokenizer/byte_level_bpe.h"
#include "tokenizer/tokenizer.h"

namespace chorus::tokenizer {

// The files of a folder, as far as they are there.
struct HuggingFaceFiles {
  std::optional<Bytes> tokenizer_json;
  std::optional<Bytes> vocab_json, merges;  // used if tokenizer_json is not there
  std::optional<Bytes> added_tokens, special_tokens_map, tokenizer_config;

  bool has_vocabulary() const { return tokenizer_json || vocab_json || merges; }
  bool is_empty() const {
    return !has_vocabulary() && !added_tokens && !special_tokens_map && !tokenizer_config;
  }
};

struct ReadTokenizer {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<std::string> notes;  // what was left open, and how it was decided; a sentence each
  std::int32_t given = 0;          // ids that no file states, behind the others: of special tokens
};

// Without a vocabulary the others stand beside GPT-2's. Errors: kCorrupt and kUnsupported, naming
// the file, the field, what was found and what was expected.
Result<ReadTokenizer> read_huggingface(const HuggingFaceFiles& files);

// A tokenizer.json alone.
Result<ReadTokenizer> read_tokenizer_json(const Bytes& file);

// A tokenizer.json that gives the same tokenizer, here and in Hugging Face's tokenizers.
std::string to_tokenizer_json(const Tokenizer& tokenizer);

// The files of a folder for transformers, by name: tokenizer.json, tokenizer_config.json,
// special_tokens_map.json and, for a byte-level BPE, vocab.json and merges.txt. Of the roles, bos,
// eos and pad are those given.
struct NamedText {
  std::string name, text;
};
std::vector<NamedText> to_huggingface_files(const Tokenizer& tokenizer, const Roles& roles);

}  // namespace chorus::tokenizer

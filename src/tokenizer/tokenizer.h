// GPT-2's byte-level BPE: text to ids and back, equal to tiktoken's `gpt2` encoding.
// A Tokenizer is immutable once built: any number of threads may encode and decode at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"
#include "core/bytes.h"

namespace chorus::tokenizer {

inline constexpr std::int32_t kEndOfText = 50256;  // <|endoftext|>
inline constexpr std::int32_t kVocabularySize = 50257;

enum class Special { kAsText, kRecognise };  // what "<|endoftext|>" in a text means

class Tokenizer {
 public:
  // From GPT-2's merges (`vocab.bpe`). Errors: kCorrupt, naming the line.
  static Result<Tokenizer> from_merges(const Bytes& merges);
  // The one embedded in the binary, built at the first call.
  static const Tokenizer& gpt2();

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Any bytes: a byte that is not part of valid UTF-8 is encoded as tiktoken encodes the U+FFFD
  // that Python's errors="replace" would put there. Linear or n log n in the length of the text.
  std::vector<std::int32_t> encode(std::string_view text, Special special = Special::kAsText) const;

  // The bytes of one id; empty for an id that has none (the padding of a vocabulary above 50257).
  // <|endoftext|> decodes to its own name.
  std::string_view token_bytes(std::int32_t id) const;

  // The bytes of all the ids, joined; may end or begin inside a UTF-8 character.
  std::string decode(std::span<const std::int32_t> ids) const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Joins the bytes of tokens into whole UTF-8 characters: an incomplete character is held until it
// is whole; bytes that can never become one are given out as U+FFFD, as Python's errors="replace"
// does. One for each stream; not thread-safe.
class StreamDecoder {
 public:
  // The text that `bytes` completes.
  std::string push(std::string_view bytes);
  // U+FFFD if a character was left incomplete, else nothing.
  std::string finish();

 private:
  std::string held_;
};

}  // namespace chorus::tokenizer

// What turns a model's text into ids and back. There are several kinds, and each model has its own:
// byte-level BPE (byte_level_bpe.h) and characters (characters.h).
// A Tokenizer is immutable once built: any number of threads may use it at once. It is shared as
// std::shared_ptr<const Tokenizer>.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"

namespace chorus::tokenizer {

inline constexpr std::int32_t kNoToken = -1;

// What the name of a special token (<|endoftext|>) in a text means.
enum class Special { kAsText, kRecognise };

// The ids that play a part, where the tokenizer's own files name one.
struct Roles {
  std::optional<std::int32_t> bos, eos, pad, unk;
  bool operator==(const Roles&) const = default;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // GPT-2's, whose merges are embedded in the binary; built at the first call.
  static const std::shared_ptr<const Tokenizer>& gpt2();

  // Any bytes: what is not part of valid UTF-8 counts as the U+FFFD that Python's errors="replace"
  // would put there. Linear or n log n in the length of the text.
  // Errors: kInvalidArgument for a text that holds what no token stands for, with its place.
  virtual Result<std::vector<std::int32_t>> encode(std::string_view text,
                                                   Special special = Special::kAsText) const = 0;

  // The bytes that an id stands for, which may be part of a character; nothing for an id that the
  // tokenizer does not name. A special token stands for its own name.
  virtual std::optional<std::string_view> token_bytes(std::int32_t id) const = 0;

  virtual bool is_special(std::int32_t id) const = 0;

  // One more than the largest id that it names.
  virtual std::int32_t size() const = 0;

  // The most bytes of a text that one id can stand for; empty if there is no such bound.
  virtual std::optional<std::size_t> most_bytes() const = 0;

  // In a few words: "gpt2", "byte-level BPE, 32000 tokens", "65 characters".
  virtual std::string description() const = 0;

  virtual const Roles& roles() const = 0;

  // What Hugging Face's configs say of it.
  struct Traits {
    const char* kind;  // "GPT2Tokenizer" (byte-level BPE) or "Characters"
    bool add_prefix_space = false;
    bool add_bos_token = false;
  };
  virtual Traits traits() const = 0;

  // The bytes of all the ids, joined; may end or begin inside a UTF-8 character. An id without a
  // text is written as unnamed_token() has it.
  std::string decode(std::span<const std::int32_t> ids) const;
};

// How an id that stands for no text is written: "<|id 50300|>".
std::string unnamed_token(std::int32_t id);

// The bytes of an id, by a tokenizer that may be null.
std::string text_of(const Tokenizer* tokenizer, std::int32_t id);

}  // namespace chorus::tokenizer

// The tokens of a byte-level BPE: the bytes of each id, and which two ids merge into which. It is
// not the algorithm that merges, and knows nothing of files. Immutable once built: any thread may
// read.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"
#include "tokenizer/merges_file.h"
#include "tokenizer/tokenizer.h"

namespace chorus::tokenizer {

// A token as its file writes it: in the byte alphabet, or (what then can only be an added token, or
// one that no text gives) in other characters.
struct TokenText {
  std::int32_t id;
  std::string_view text;
};

class Vocabulary {
 public:
  // A merge of a lower rank comes first.
  struct Merge {
    std::int32_t left = kNoToken, right = kNoToken, token = kNoToken;
    std::uint32_t rank = 0;
    bool operator==(const Merge&) const = default;
  };

  // Merges in the order of their ranks; of a pair that stands twice the later rank counts, as in
  // Hugging Face's tokenizers. Errors: kCorrupt for an id that is negative, out of proportion to
  // the number of tokens, or stands twice, and for a merge of what are not tokens.
  static Result<Vocabulary> make(const std::vector<TokenText>& tokens,
                                 const std::vector<MergeTexts>& merges);

  // Moved, never copied: it is large.
  Vocabulary(Vocabulary&&) noexcept = default;
  Vocabulary& operator=(Vocabulary&&) noexcept = default;

  // One more than the largest id.
  std::int32_t size() const { return static_cast<std::int32_t>(tokens_.size()); }
  bool has(std::int32_t id) const { return id >= 0 && id < size() && at(id).is_named; }
  // The bytes of an id that it has.
  std::string_view bytes_of(std::int32_t id) const;
  // As its file wrote it.
  std::string text_of(std::int32_t id) const;
  // The token with exactly these bytes, or kNoToken.
  std::int32_t token_of(std::string_view bytes) const;
  // The token that a file writes so, or kNoToken.
  std::int32_t token_of_text(std::string_view text) const;
  // Or kNoToken.
  std::int32_t token_of_byte(std::uint8_t byte) const { return byte_tokens_[byte]; }
  // What `left` followed by `right` merges into; its token is kNoToken if they do not.
  Merge merged(std::int32_t left, std::int32_t right) const;

  std::size_t longest_token() const;  // in bytes
  std::vector<Merge> merges() const;  // by rank

  bool operator==(const Vocabulary& other) const;

 private:
  struct Token {
    std::uint32_t begin = 0, length = 0;  // of its bytes in blob_
    bool is_named = false;
    bool is_plain = false;  // not in the byte alphabet: its text is its bytes
    bool operator==(const Token&) const = default;
  };

  // Ids by their bytes: open addressing; a power of two of slots, always at most half full.
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = kNoToken;
  };
  using Table = std::vector<Slot>;

  Vocabulary() = default;

  const Token& at(std::int32_t id) const { return tokens_[static_cast<std::size_t>(id)]; }
  Result<void> add_tokens(const std::vector<TokenText>& tokens);
  Result<void> add_merges(const std::vector<MergeTexts>& merges);
  void insert(const Merge& merge);
  // The place of the token with these bytes, or where it would be.
  std::size_t slot_of(const Table& table, std::string_view bytes, std::uint32_t hash) const;
  std::int32_t find(const Table& table, std::string_view bytes) const;  // or kNoToken
  bool add(Table& table, std::int32_t id);  // false if its bytes are there already

  std::string blob_;  // the bytes of all the tokens, joined
  std::vector<Token> tokens_;
  std::array<std::int32_t, 256> byte_tokens_{};
  Table by_bytes_, plain_;     // of the tokens in the byte alphabet, and of the others
  std::vector<Merge> merges_;  // open addressing; always at most half full
};

}  // namespace chorus::tokenizer

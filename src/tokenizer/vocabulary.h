// GPT-2's tokens: the bytes of each id, and which two ids merge into which. Read from `vocab.bpe`:
//   #version: 0.2
//   LEFT RIGHT          one merge a line, the most frequent first; 50,000 of them
// LEFT and RIGHT are tokens written in an alphabet of one printable character for each byte. Ids 0
// to 255 are the bytes in the alphabet's order, then one id for each line in turn, then
// <|endoftext|>. It is not the algorithm that merges. Immutable once built: any thread may read.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "chorus/error.h"
#include "core/bytes.h"

namespace chorus::tokenizer {

inline constexpr std::int32_t kNoToken = -1;

class Vocabulary {
 public:
  // Errors: kCorrupt, naming the file and the line.
  static Result<Vocabulary> parse(const Bytes& merges);

  // Moved, never copied: its map points into its own bytes.
  Vocabulary(Vocabulary&&) noexcept = default;
  Vocabulary& operator=(Vocabulary&&) noexcept = default;

  // Empty for an id that has no bytes: below 0, <|endoftext|> and above.
  std::string_view bytes_of(std::int32_t id) const;
  // The token with exactly these bytes, or kNoToken.
  std::int32_t token_of(std::string_view bytes) const;
  std::int32_t token_of_byte(std::uint8_t byte) const { return byte_tokens_[byte]; }
  // What `left` followed by `right` merges into, or kNoToken. A lower id is a merge of higher
  // priority, because ids follow the order of the lines.
  std::int32_t merged(std::int32_t left, std::int32_t right) const;

 private:
  Vocabulary() = default;

  struct Merge {
    std::uint32_t pair = 0;  // left << 16 | right
    std::int32_t token = kNoToken;
  };

  void start_with_bytes();
  Result<void> add_merges(const std::vector<std::size_t>& left_lengths, const std::string& name);
  void insert(std::uint32_t pair, std::int32_t token);
  std::string_view range(std::size_t token) const;

  std::vector<char> blob_;            // the bytes of all the tokens, joined
  std::vector<std::size_t> offsets_;  // token t is blob_[offsets_[t], offsets_[t + 1])
  std::array<std::int32_t, 256> byte_tokens_{};
  std::unordered_map<std::string_view, std::int32_t> tokens_;  // keys point into blob_
  std::vector<Merge> merges_;  // open addressing; always less than half full
};

}  // namespace chorus::tokenizer

// Byte-pair encoding of one piece: of all the neighbours that can merge, those of the lowest rank
// do first, the leftmost of equals; until none can. n log n in the piece's bytes. This is what
// Hugging Face's tokenizers (0.19) compute.
//
// tiktoken asks another question (are the joined bytes any token?) and first looks for the whole
// piece among the tokens. For GPT-2's merges the answers are the same, because each token, cut into
// bytes and merged so, becomes itself again; a test of the vocabulary holds that.
// A workspace: one thread at a time, and used again for the next piece.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace chorus::tokenizer {

// What becomes of a byte that has no token: the id `unk`, one for a run of them if `fuses`; without
// an id such bytes vanish.
struct Unknown {
  std::optional<std::int32_t> id = {};
  bool fuses = false;
  bool operator==(const Unknown&) const = default;
};

class Merger {
 public:
  // The vocabulary must outlive it.
  explicit Merger(const Vocabulary& vocabulary, Unknown unknown = {})
      : vocabulary_(vocabulary), unknown_(unknown) {}

  // Appends the ids of `piece`, of under 2^40 bytes, to `out`.
  void merge(std::string_view piece, std::vector<std::int32_t>& out);

 private:
  // A token as far as it has grown, at the index of its first byte.
  struct Part {
    std::int32_t token;        // kNoToken once it was merged into the part before it
    Vocabulary::Merge merged;  // what it and the next part merge into; its token may be kNoToken
    std::size_t previous;
    std::size_t next;
  };

  void start(std::string_view piece);
  void join_with_next(std::size_t index);
  void propose(std::size_t index);

  const Vocabulary& vocabulary_;
  Unknown unknown_;
  std::vector<Part> parts_;
  // A heap of the merges that may be made, the lowest first: rank << 40 | index of the left part.
  // One that was overtaken stays in it and is known by its rank, which is no longer the part's.
  std::vector<std::uint64_t> proposals_;
};

}  // namespace chorus::tokenizer

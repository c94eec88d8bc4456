// What an engine knows of its model's ids: their texts, which of them end a text, which of them may
// be chosen. Immutable: any thread may read.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "tokenizer/tokenizer.h"

namespace chorus::engine {

struct ModelTokens {
  explicit ModelTokens(const checkpoint::Checkpoint& checkpoint);

  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;  // null: ids alone
  std::string no_tokenizer;                               // why
  checkpoint::TokenIds ids;
  // Ids from here on are the padding of the vocabulary: never chosen, never listed.
  std::int32_t usable;

  bool is_eos(std::int32_t id) const;
  // The id's bytes; none for a special token that ends texts, which is no part of them.
  std::string text_of(std::int32_t id) const;
  // What may stand behind a whole word: tokens whose first character is white space, and those that
  // end a text; ascending. Found at the first call.
  const std::vector<std::int32_t>& boundaries() const;

 private:
  struct Boundaries {
    std::once_flag once;
    std::vector<std::int32_t> ids;
  };
  std::unique_ptr<Boundaries> boundaries_ = std::make_unique<Boundaries>();
};

// Padding is what no tokenizer names at the end of a vocabulary that was rounded up to a multiple
// of 64, as training scripts do for speed. Ids without a name in any other vocabulary may be what
// somebody trained, and so may all ids of a model without a tokenizer.
std::int32_t usable_ids(std::int64_t vocab_size, const tokenizer::Tokenizer* tokenizer);

}  // namespace chorus::engine

// GPT-2's kind of tokenizer, with any vocabulary: a text is cut at added tokens, then into pieces by
// GPT-2's pattern, and in each the byte pairs are merged. With GPT-2's own merges the ids are
// tiktoken's `gpt2`; with others, those of Hugging Face's tokenizers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/merger.h"
#include "tokenizer/splitter.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

namespace chorus::tokenizer {

inline constexpr std::int32_t kEndOfText = 50256;  // GPT-2's <|endoftext|>
inline constexpr std::int32_t kGpt2Size = 50257;   // ids of GPT-2

// What a text is encoded by, apart from the vocabulary.
struct BpeRules {
  Unknown unknown = {};
  bool ignore_merges = false;     // a piece that is a token is that token, whatever its merges give
  bool add_prefix_space = false;  // a text, or what follows an added token, begins with a space
  std::vector<std::int32_t> prefix = {}, suffix = {};  // ids around every text
  Roles roles = {};
  bool operator==(const BpeRules&) const = default;
};

class ByteLevelBpe : public Tokenizer {
 public:
  // Errors: kUnsupported, if the PCRE2 of this system lacks Unicode.
  static Result<std::shared_ptr<const ByteLevelBpe>> make(Vocabulary vocabulary, AddedTokens added,
                                                          BpeRules rules);
  // Of GPT-2's merges (`vocab.bpe`), and of further added tokens, which may be none.
  // Errors: kCorrupt, naming the line.
  static Result<std::shared_ptr<const ByteLevelBpe>> gpt2(const Bytes& merges,
                                                          std::vector<AddedToken> further = {},
                                                          BpeRules rules = {});

  Result<std::vector<std::int32_t>> encode(std::string_view text, Special special) const override;
  std::optional<std::string_view> token_bytes(std::int32_t id) const override;
  bool is_special(std::int32_t id) const override;
  std::int32_t size() const override;
  std::optional<std::size_t> most_bytes() const override;
  std::string description() const override;
  const Roles& roles() const override { return rules_.roles; }
  Traits traits() const override;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  const AddedTokens& added() const { return added_; }
  const BpeRules& rules() const { return rules_; }
  // Same ids for every text, and the same texts for every id.
  bool operator==(const ByteLevelBpe& other) const;

 private:
  ByteLevelBpe(Vocabulary vocabulary, Splitter splitter, AddedTokens added, BpeRules rules)
      : vocabulary_(std::move(vocabulary)),
        splitter_(std::move(splitter)),
        added_(std::move(added)),
        rules_(std::move(rules)) {}

  // Which tokens, cut into bytes and merged, become themselves again.
  void find_whole_tokens();
  // `text` is well-formed and holds no added token.
  void encode_ordinary(std::string_view text, Merger& merger, std::vector<std::int32_t>& ids) const;

  Vocabulary vocabulary_;
  Splitter splitter_;
  AddedTokens added_;
  BpeRules rules_;
  std::vector<bool> is_whole_;  // by id; empty: all are
};

}  // namespace chorus::tokenizer

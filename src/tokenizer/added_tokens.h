// Tokens that stand beside the vocabulary's own and are looked for in a text before it is split:
// <|endoftext|>, and what was added for fine-tuning. Their flags mean what they mean in Hugging
// Face's tokenizers (0.19). It knows nothing of byte pairs. Immutable once built: any thread may use
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "chorus/error.h"
#include "tokenizer/matcher.h"
#include "tokenizer/tokenizer.h"

namespace chorus::tokenizer {

struct AddedToken {
  std::int32_t id = kNoToken;
  std::string content;       // UTF-8
  bool special = false;      // text like any other, unless it is to be recognised
  bool lstrip = false;       // takes white space before it
  bool rstrip = false;       // and behind it
  bool single_word = false;  // only where no word goes on at either side
  bool normalized = false;   // looked for after those that are not
  bool operator==(const AddedToken&) const = default;
};

class AddedTokens {
 public:
  // Errors: kCorrupt if two have one id or one content, or all are unreasonably long. Empty ones are
  // never found.
  static Result<AddedTokens> make(std::vector<AddedToken> tokens);

  // Cuts `text`, well-formed UTF-8, into tokens and what stands between them, in order. No text is
  // empty.
  struct Visitor {
    std::function<void(std::int32_t id)> token;
    std::function<void(std::string_view text)> text;
  };
  void split(std::string_view text, Special special, const Visitor& visitor) const;

  const AddedToken* find(std::int32_t id) const;                  // or null
  const std::vector<AddedToken>& all() const { return tokens_; }  // by id

 private:
  // Those that are looked for at one time.
  struct Group {
    Matcher matcher{{}};
    std::vector<std::size_t> tokens;  // of the matcher's words
    bool has_ordinary = false;        // one that is not special
  };
  static Group make_group(const std::vector<AddedToken>& tokens, bool normalized);
  void split_by(const Group& group, std::string_view text, Special special,
                const Visitor& visitor) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::int32_t, std::size_t> by_id_;
  Group plain_, normalized_;
};

}  // namespace chorus::tokenizer

// The tokenizer of character-level models, as nanoGPT's prepare.py makes them: an id for each
// character (code point) of its text. There are no special tokens.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "tokenizer/tokenizer.h"

namespace chorus::tokenizer {

class Characters : public Tokenizer {
 public:
  // The texts of the ids, UTF-8; encoding knows those of one character.
  // Errors: kCorrupt for an id that is negative, and a text of two ids.
  static Result<std::shared_ptr<const Characters>> make(std::map<std::int32_t, std::string> texts);

  // Errors: a character that the model does not have.
  Result<std::vector<std::int32_t>> encode(std::string_view text, Special special) const override;
  std::optional<std::string_view> token_bytes(std::int32_t id) const override;
  bool is_special(std::int32_t) const override { return false; }
  std::int32_t size() const override;
  std::optional<std::size_t> most_bytes() const override { return 4; }
  std::string description() const override;
  const Roles& roles() const override { return roles_; }
  Traits traits() const override { return {.kind = "Characters"}; }

  const std::map<std::int32_t, std::string>& texts() const { return texts_; }

 private:
  Characters() = default;

  std::map<std::int32_t, std::string> texts_;
  std::unordered_map<std::string_view, std::int32_t> ids_;  // keys point into texts_
  Roles roles_;
};

}  // namespace chorus::tokenizer

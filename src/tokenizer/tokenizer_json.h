// The parts of a tokenizer.json, checked and taken apart; huggingface.h puts them together with the
// files beside it. Pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <vector>

#include "chorus/error.h"
#include "core/bytes.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/byte_level_bpe.h"
#include "tokenizer/merges_file.h"
#include "tokenizer/vocabulary.h"

namespace chorus::tokenizer {

// What a byte-level BPE is made of. Views point into `document`, or into the file.
struct BpeParts {
  boost::json::object document;
  std::vector<TokenText> tokens;
  std::vector<MergeTexts> merges;
  std::vector<AddedToken> added;
  BpeRules rules;
  std::optional<std::string> unk_token;
  std::vector<std::string> notes;
  std::int32_t given = 0;  // ids that were given to special tokens without one
};

struct TokenizerParts {
  BpeParts bpe;
  std::map<std::int32_t, std::string> characters;  // not empty: it is no BPE but these
};

// Errors: kCorrupt and kUnsupported, by field; they do not name the file.
Result<TokenizerParts> parse_tokenizer_json(std::string_view text);

// vocab.json: {"token": id, ...}.
Result<std::vector<TokenText>> tokens_of(const boost::json::object& vocabulary);

// A token's flags, from an object with a "content".
Result<AddedToken> parse_added_token(const boost::json::object& token, const std::string& place);

// How the tokenizer.json of characters cuts a text (also read back): everything is a character.
inline constexpr const char* kAnyCharacter = "[\\s\\S]";

}  // namespace chorus::tokenizer

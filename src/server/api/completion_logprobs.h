// The `logprobs` of a choice of /v1/completions: four columns of a row for each token. One for each
// choice; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chorus/engine.h"
#include "server/api/held_rows.h"
#include "server/http/body_pieces.h"

namespace chorus::server {

// How a token is written: its text; "bytes:\xe2\x80" if it is part of a character, so that no two
// tokens are written alike; "<|id 50300|>" for an id that has no text.
std::string token_name(const Engine& engine, std::int32_t id);

// [226,128]
std::string bytes_json(std::string_view bytes);

// Appends {name: logprob, ...} of the likeliest tokens and of the token itself, or null without any.
void append_top_logprobs(std::string& out, const Engine& engine, const TokenInfo& token,
                         std::int32_t most);

// Characters (code points) of well-formed UTF-8.
std::size_t count_characters(std::string_view text);

// Counts characters (code points) of a text that comes as bytes of tokens.
class CharacterCount {
 public:
  std::size_t whole() const { return count_; }
  // The number of whole characters before `bytes`, which are then added.
  std::size_t before(std::string_view bytes);

 private:
  std::string held_;  // of a character that is not whole yet
  std::size_t count_ = 0;
};

// What is told of each token.
struct LogprobForm {
  std::int32_t most = 0;  // of the likeliest tokens
  bool ids = false;       // "token_ids", "bytes" and "top_tokens"
  bool ranks = false;     // "ranks" and "entropies"
};

// The columns, each the elements of a JSON array; those that a form leaves out stay empty.
struct LogprobColumns {
  LogprobForm form = {};
  std::string tokens = {}, logprobs = {}, tops = {}, offsets = {};
  std::string ids = {}, token_bytes = {}, top_tokens = {};
  std::string ranks = {}, entropies = {};

  static constexpr std::string LogprobColumns::*kAll[] = {
      &LogprobColumns::tokens,     &LogprobColumns::logprobs, &LogprobColumns::tops,
      &LogprobColumns::offsets,    &LogprobColumns::ids,      &LogprobColumns::token_bytes,
      &LogprobColumns::top_tokens, &LogprobColumns::ranks,    &LogprobColumns::entropies};

  std::size_t bytes() const;
};

// {"tokens", "token_logprobs", "top_logprobs", "text_offset", and what the form asks for} of the
// rows of `first`, which may be null, and of `second`.
BodyPieces logprobs_json(const std::shared_ptr<const LogprobColumns>& first, LogprobColumns second);

class CompletionLogprobs {
 public:
  // The engine must outlive it.
  CompletionLogprobs(const Engine& engine, LogprobForm form) : engine_(&engine), form_(form) {
    columns_.form = form;
  }

  // A row, which is held until its token is known to be part of the text.
  void add(const TokenInfo& token);
  // Lets go of the rows of tokens that begin before the text's character of that number.
  void release(std::size_t characters);
  void release_all() { release(static_cast<std::size_t>(-1)); }

  // What was let go of since the last call. Offsets go on over calls.
  LogprobColumns take() { return std::exchange(columns_, LogprobColumns{.form = form_}); }
  bool is_empty() const { return columns_.tokens.empty(); }
  std::size_t bytes() const { return columns_.bytes() + held_.bytes(); }
  // Of all tokens that were added.
  std::size_t characters() const { return characters_.whole(); }

 private:
  const Engine* engine_;
  LogprobForm form_;
  CharacterCount characters_;
  HeldRows<LogprobColumns> held_;
  LogprobColumns columns_;
};

// vLLM's `prompt_logprobs`: for each token of the prompt null or an object of ids, each with
// {"logprob", "rank", "decoded_token"}; the rank is null for a token that is none of the likeliest,
// unless the engine was asked for it.
std::string prompt_logprobs_json(const Engine& engine, const std::vector<TokenInfo>& prompt,
                                 std::int32_t most);

}  // namespace chorus::server

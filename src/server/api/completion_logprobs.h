// The `logprobs` of a choice of /v1/completions: four columns of a row for each token. One for each
// choice; one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/engine.h"

namespace chorus::server {

// How a token is written: its text; "bytes:\xe2\x80" if it is part of a character, so that no two
// tokens are written alike; "<|id 50300|>" for an id that has no text.
std::string token_name(const Engine& engine, std::int32_t id);

// {name: logprob, ...} of the likeliest tokens and of the token itself, or null without any.
std::string top_logprobs(const Engine& engine, const TokenInfo& token, std::int32_t most);

// Counts characters (code points) of a text that comes as bytes of tokens.
class CharacterCount {
 public:
  // The number of whole characters before `bytes`, which are then added.
  std::size_t before(std::string_view bytes);

 private:
  std::string held_;  // of a character that is not whole yet
  std::size_t count_ = 0;
};

class CompletionLogprobs {
 public:
  // `most`: of the likeliest tokens beside each. The engine must outlive it.
  CompletionLogprobs(const Engine& engine, std::int32_t most) : engine_(&engine), most_(most) {}

  void add(const TokenInfo& token);
  // {"tokens", "token_logprobs", "top_logprobs", "text_offset"} of what was added since the last
  // call. Offsets go on over calls.
  std::string take();

 private:
  const Engine* engine_;
  std::int32_t most_;
  CharacterCount characters_;
  std::vector<std::string> tokens_, logprobs_, tops_;
  std::vector<std::size_t> offsets_;
};

// vLLM's `prompt_logprobs`: for each token of the prompt null or an object of ids, each with
// {"logprob", "rank", "decoded_token"}; the rank is null for a token that is none of the likeliest.
std::string prompt_logprobs_json(const Engine& engine, const std::vector<TokenInfo>& prompt,
                                 std::int32_t most);

}  // namespace chorus::server

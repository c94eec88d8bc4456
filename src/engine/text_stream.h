// The text of one sample: bytes of tokens become whole characters, stop strings are looked for, and
// what is certain is given out. One for each sample; not thread-safe.
#pragma once

#include <memory>
#include <string>

#include "chorus/request.h"
#include "engine/model_tokens.h"
#include "engine/stop_strings.h"
#include "tokenizer/stream_decoder.h"

namespace chorus::engine {

class TextStream {
 public:
  // The prompt's bytes go through the same decoder, since a character may begin in the prompt and
  // end in the result; stop strings are not looked for in it. What begins a text (<|endoftext|>)
  // is no text at the prompt's beginning. `tokens` must outlive it.
  TextStream(const Request& request, std::shared_ptr<const StopSet> stop,
             const ModelTokens& tokens);

  // The prompt's text, but for a character that it leaves incomplete. Once.
  std::string take_prompt();

  // The text that `id` makes certain. With `may_stop` false, no stop string
  // is looked for.
  std::string push(std::int32_t id, bool may_stop);
  // What was held back, when no more comes.
  std::string finish();

  bool stopped() const { return stop_.found(); }

 private:
  const ModelTokens& tokens_;
  tokenizer::StreamDecoder decoder_;
  StopStrings stop_;
  std::string prompt_;
};

}  // namespace chorus::engine

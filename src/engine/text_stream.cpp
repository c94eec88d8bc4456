#include "engine/text_stream.h"

#include <utility>

namespace chorus::engine {

TextStream::TextStream(const Request& request, std::shared_ptr<const StopSet> stop,
                       const ModelTokens& tokens)
    : tokens_(tokens), stop_(std::move(stop), request.include_stop) {
  const tokenizer::Tokenizer* tokenizer = tokens.tokenizer.get();
  std::int32_t first = request.prompt.front();
  bool begins_text = tokenizer != nullptr && tokenizer->is_special(first) &&
                     (first == tokens.ids.bos || tokens.is_eos(first));
  for (std::size_t i = begins_text ? 1 : 0; i < request.prompt.size(); ++i) {
    prompt_ += decoder_.push(tokenizer::text_of(tokenizer, request.prompt[i]));
  }
}

std::string TextStream::take_prompt() { return std::exchange(prompt_, {}); }

std::string TextStream::push(std::int32_t id, bool may_stop) {
  std::string text = decoder_.push(tokens_.text_of(id));
  return may_stop ? stop_.push(text) : text;
}

std::string TextStream::finish() {
  std::string text = stop_.push(decoder_.finish());
  if (!stop_.found()) text += stop_.finish();
  return text;
}

}  // namespace chorus::engine

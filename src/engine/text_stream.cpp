#include "engine/text_stream.h"

#include <utility>

namespace chorus::engine {
namespace {

std::string_view bytes_of(std::int32_t id) { return tokenizer::Tokenizer::gpt2().token_bytes(id); }

}  // namespace

TextStream::TextStream(const Request& request) : stop_(request.stop, request.include_stop) {
  for (std::size_t i = request.prompt.front() == kEndOfText ? 1 : 0; i < request.prompt.size();
       ++i) {
    prompt_ += decoder_.push(bytes_of(request.prompt[i]));
  }
}

std::string TextStream::take_prompt() { return std::exchange(prompt_, {}); }

std::string TextStream::push(std::int32_t id, bool may_stop) {
  if (id == kEndOfText) return {};
  std::string text = decoder_.push(bytes_of(id));
  return may_stop ? stop_.push(text) : text;
}

std::string TextStream::finish() {
  std::string text = stop_.push(decoder_.finish());
  if (!stop_.found()) text += stop_.finish();
  return text;
}

}  // namespace chorus::engine

// Joins the bytes of tokens into whole UTF-8 characters: an incomplete character is held until it
// is whole; bytes that can never become one are given out as U+FFFD, as Python's errors="replace"
// does. One for each stream; not thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace chorus::tokenizer {

class StreamDecoder {
 public:
  // The text that `bytes` completes.
  std::string push(std::string_view bytes);
  // U+FFFD if a character was left incomplete, else nothing.
  std::string finish();

 private:
  std::string held_;
};

}  // namespace chorus::tokenizer

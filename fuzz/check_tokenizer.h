// What must hold of any tokenizer that was read: shared by the fuzz targets of tokenizers' files.
#pragma once

#include <cstdlib>
#include <string>

#include "tokenizer/huggingface.h"

namespace chorus::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

inline void check_error(const Error& error) {
  require(!error.message.empty() && error.message.find('\n') == std::string::npos);
  require(error.code == ErrorCode::kCorrupt || error.code == ErrorCode::kUnsupported ||
          error.code == ErrorCode::kNotFound);
}

// Texts become ids, ids become texts, and what is written is read alike.
inline void check_tokenizer(const tokenizer::Tokenizer& tokenizer) {
  using tokenizer::Special;
  std::string texts = "a ab  aab<s> <e>\nz\xC3\xA9 \xF0\x9F\xA6\x89 'll 12";
  auto again =
      tokenizer::read_tokenizer_json(copy_bytes("again", tokenizer::to_tokenizer_json(tokenizer)));
  require(again.has_value());
  const tokenizer::Tokenizer& copy = *again.assume_value().tokenizer;
  require(copy.size() == tokenizer.size());
  for (Special special : {Special::kAsText, Special::kRecognise}) {
    auto ids = tokenizer.encode(texts, special);
    auto copied = copy.encode(texts, special);
    require(ids.has_value() == copied.has_value());
    if (!ids) continue;
    require(ids.assume_value() == copied.assume_value());
    require(tokenizer.decode(ids.assume_value()) == copy.decode(ids.assume_value()));
    for (std::int32_t id : ids.assume_value()) require(id >= 0);
  }
}

}  // namespace chorus::fuzz

#include "tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <utility>

#include "core/assets.h"
#include "tokenizer/byte_level_bpe.h"

namespace chorus::tokenizer {

const std::shared_ptr<const Tokenizer>& Tokenizer::gpt2() {
  static const std::shared_ptr<const Tokenizer> tokenizer =
      std::move(ByteLevelBpe::gpt2(embedded_vocab_bpe()).assume_value());
  return tokenizer;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string bytes;
  for (std::int32_t id : ids) bytes += text_of(this, id);
  return bytes;
}

std::string unnamed_token(std::int32_t id) { return fmt::format("<|id {}|>", id); }

std::string text_of(const Tokenizer* tokenizer, std::int32_t id) {
  auto bytes = tokenizer == nullptr ? std::nullopt : tokenizer->token_bytes(id);
  return bytes ? std::string(*bytes) : unnamed_token(id);
}

}  // namespace chorus::tokenizer

#include "engine/model_tokens.h"

#include <algorithm>

#include "tokenizer/word_ends.h"

namespace chorus::engine {
namespace {

constexpr std::int64_t kPadding = 64;

}  // namespace

ModelTokens::ModelTokens(const checkpoint::Checkpoint& checkpoint)
    : tokenizer(checkpoint.tokenizer),
      no_tokenizer(checkpoint.no_tokenizer),
      ids(checkpoint.token_ids),
      usable(usable_ids(checkpoint.config.vocab_size, checkpoint.tokenizer.get())) {}

bool ModelTokens::is_eos(std::int32_t id) const {
  return std::find(ids.eos.begin(), ids.eos.end(), id) != ids.eos.end();
}

std::string ModelTokens::text_of(std::int32_t id) const {
  if (tokenizer != nullptr && is_eos(id) && tokenizer->is_special(id)) return {};
  return tokenizer::text_of(tokenizer.get(), id);
}

const std::vector<std::int32_t>& ModelTokens::boundaries() const {
  std::call_once(boundaries_->once, [this] {
    std::vector<std::int32_t> ids_found;
    for (std::int32_t id = 0; id < usable; ++id) {
      std::optional<std::string_view> bytes;
      if (tokenizer != nullptr) bytes = tokenizer->token_bytes(id);
      if (is_eos(id) || (bytes && tokenizer::space_at_begin(*bytes) > 0)) {
        ids_found.push_back(id);
      }
    }
    boundaries_->ids = std::move(ids_found);
  });
  return boundaries_->ids;
}

std::int32_t usable_ids(std::int64_t vocab_size, const tokenizer::Tokenizer* tokenizer) {
  auto all = static_cast<std::int32_t>(vocab_size);
  if (tokenizer == nullptr || vocab_size % kPadding != 0) return all;
  return std::min(all, tokenizer->size());
}

}  // namespace chorus::engine

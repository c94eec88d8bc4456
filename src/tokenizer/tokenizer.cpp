#include "tokenizer/tokenizer.h"

#include <utility>

#include "core/assets.h"
#include "core/utf8.h"
#include "tokenizer/merger.h"
#include "tokenizer/splitter.h"
#include "tokenizer/vocabulary.h"

namespace chorus::tokenizer {
namespace {

constexpr std::string_view kEndOfTextName = "<|endoftext|>";

}  // namespace

struct Tokenizer::Impl {
  Vocabulary vocabulary;
  Splitter splitter;

  // `text` is well-formed and holds nothing special.
  void encode_ordinary(std::string_view text, std::vector<std::int32_t>& ids) const {
    Splitter::Cursor cursor(splitter, text);
    Merger merger(vocabulary);
    for (std::string_view piece = cursor.next(); !piece.empty(); piece = cursor.next()) {
      // Most words are tokens themselves: the same answer, sooner.
      std::int32_t whole = vocabulary.token_of(piece);
      if (whole != kNoToken) {
        ids.push_back(whole);
      } else {
        merger.merge(piece, ids);
      }
    }
  }
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::from_merges(const Bytes& merges) {
  CHORUS_TRY(Vocabulary vocabulary, Vocabulary::parse(merges));
  CHORUS_TRY(Splitter splitter, Splitter::make());
  return Tokenizer(std::make_unique<Impl>(Impl{std::move(vocabulary), std::move(splitter)}));
}

const Tokenizer& Tokenizer::gpt2() {
  static const Tokenizer tokenizer = std::move(from_merges(embedded_vocab_bpe()).assume_value());
  return tokenizer;
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, Special special) const {
  std::string replaced;
  if (!is_well_formed(text)) {
    replaced = replace_ill_formed(text);
    text = replaced;
  }
  std::vector<std::int32_t> ids;
  if (special == Special::kRecognise) {
    for (std::size_t end = 0; (end = text.find(kEndOfTextName)) != std::string_view::npos;) {
      impl_->encode_ordinary(text.substr(0, end), ids);
      ids.push_back(kEndOfText);
      text.remove_prefix(end + kEndOfTextName.size());
    }
  }
  impl_->encode_ordinary(text, ids);
  return ids;
}

std::string_view Tokenizer::token_bytes(std::int32_t id) const {
  return id == kEndOfText ? kEndOfTextName : impl_->vocabulary.bytes_of(id);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string bytes;
  for (std::int32_t id : ids) bytes += token_bytes(id);
  return bytes;
}

}  // namespace chorus::tokenizer

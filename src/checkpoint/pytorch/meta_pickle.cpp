#include "checkpoint/pytorch/meta_pickle.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "checkpoint/pytorch/globals.h"
#include "checkpoint/pytorch/pickle.h"
#include "checkpoint/pytorch/scalars.h"
#include "checkpoint/pytorch/state_dict.h"
#include "core/error_text.h"
#include "core/printable.h"
#include "tokenizer/characters.h"

namespace chorus::checkpoint {
namespace {

using Texts = std::map<std::int32_t, std::string>;

Error wrong(const Pickle& pickle, PickleRef ref, const char* what, const char* expected) {
  return corrupt(fmt::format("byte {}: {} is not {}", pickle[ref].offset, what, expected));
}

Result<void> add(const Pickle& pickle, PickleRef id, PickleRef text, const char* what,
                 Texts& texts) {
  Number number = read_plain_number(pickle, id).value_or(Number{});
  bool is_id = number.is_integer && number.integer >= 0 && number.integer < std::int64_t{1} << 24;
  if (!is_id) return wrong(pickle, id, what, "a dict of ids and characters");
  if (pickle[text].kind != PickleKind::kString) {
    return wrong(pickle, text, what, "a dict of ids and characters");
  }
  texts[static_cast<std::int32_t>(number.integer)] = std::string(pickle[text].text);
  return ok();
}

Result<Texts> read_itos(const Pickle& pickle, PickleRef ref) {
  Texts texts;
  const auto& items = pickle[ref].items;
  bool is_list = pickle[ref].kind == PickleKind::kList || pickle[ref].kind == PickleKind::kTuple;
  if (!is_list && !is_dict(pickle, ref)) {
    return wrong(pickle, ref, "itos", "a dict or a list");
  }
  for (std::size_t i = 0; is_list && i < items.size(); ++i) {
    if (pickle[items[i]].kind != PickleKind::kString) {
      return wrong(pickle, items[i], "an element of itos", "a string");
    }
    texts[static_cast<std::int32_t>(i)] = std::string(pickle[items[i]].text);
  }
  for (std::size_t i = 0; !is_list && i + 1 < items.size(); i += 2) {
    CHORUS_TRY(add(pickle, items[i], items[i + 1], "itos", texts));
  }
  return texts;
}

Result<Texts> read_stoi(const Pickle& pickle, PickleRef ref) {
  Texts texts;
  if (!is_dict(pickle, ref)) return wrong(pickle, ref, "stoi", "a dict");
  const auto& items = pickle[ref].items;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    CHORUS_TRY(add(pickle, items[i + 1], items[i], "stoi", texts));
  }
  return texts;
}

Result<std::shared_ptr<const tokenizer::Tokenizer>> read(std::span<const std::byte> bytes) {
  // Whatever else stands in it is an opaque value, as in a checkpoint.
  CHORUS_TRY(Pickle pickle, Pickle::read(bytes, resolve_global));
  if (!is_dict(pickle, pickle.root())) {
    return wrong(pickle, pickle.root(), "what was saved", "a dict with 'itos' and 'stoi'");
  }
  PickleRef itos = pickle.find(pickle.root(), "itos"), stoi = pickle.find(pickle.root(), "stoi");
  if (itos == kNoPickleRef && stoi == kNoPickleRef) {
    return corrupt("neither 'itos' nor 'stoi' is in it; expected nanoGPT's meta.pkl of characters");
  }
  Texts texts;
  if (itos != kNoPickleRef) {
    CHORUS_TRY(texts, read_itos(pickle, itos));
  }
  if (stoi != kNoPickleRef) {
    CHORUS_TRY(Texts inverse, read_stoi(pickle, stoi));
    if (itos != kNoPickleRef && inverse != texts) return corrupt("'itos' and 'stoi' disagree");
    texts = std::move(inverse);
  }
  CHORUS_TRY(auto characters, tokenizer::Characters::make(std::move(texts)));
  return std::shared_ptr<const tokenizer::Tokenizer>(std::move(characters));
}

}  // namespace

Result<std::shared_ptr<const tokenizer::Tokenizer>> read_meta_pickle(const Bytes& bytes) {
  return in_place(read(bytes.data), bytes.name);
}

}  // namespace chorus::checkpoint

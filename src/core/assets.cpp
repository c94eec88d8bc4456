#include "core/assets.h"

// Defined in assets.S.
extern "C" {
extern const char chorus_asset_vocab_bpe_begin[];
extern const char chorus_asset_vocab_bpe_end[];
extern const char chorus_asset_storyteller_begin[];
extern const char chorus_asset_storyteller_end[];
}

namespace chorus {
namespace {

Bytes asset(const char* name, const char* begin, const char* end) {
  auto size = static_cast<std::size_t>(end - begin);
  return Bytes{name, std::as_bytes(std::span(begin, size)), nullptr};
}

}  // namespace

Bytes embedded_vocab_bpe() {
  return asset("embedded vocab.bpe", chorus_asset_vocab_bpe_begin, chorus_asset_vocab_bpe_end);
}

Bytes embedded_storyteller() {
  return asset("embedded storyteller", chorus_asset_storyteller_begin,
               chorus_asset_storyteller_end);
}

}  // namespace chorus

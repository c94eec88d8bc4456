#include "core/assets.h"

// Defined in assets.S.
extern "C" {
extern const char chorus_asset_vocab_bpe_begin[];
extern const char chorus_asset_vocab_bpe_end[];
#if CHORUS_EMBED_MODEL
extern const char chorus_asset_storyteller_begin[];
extern const char chorus_asset_storyteller_end[];
#endif
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

Result<Bytes> embedded_storyteller() {
#if CHORUS_EMBED_MODEL
  return asset("embedded storyteller", chorus_asset_storyteller_begin,
               chorus_asset_storyteller_end);
#else
  return Error{ErrorCode::kNotFound,
               "no model was named, and this build has none of its own (CHORUS_EMBED_MODEL=OFF): "
               "name a file, a folder or a known model such as gpt2"};
#endif
}

}  // namespace chorus

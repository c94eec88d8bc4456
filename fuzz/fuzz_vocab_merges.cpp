// Any bytes, cut at byte 0x01, as vocab.json, merges.txt, added_tokens.json, special_tokens_map.json
// and tokenizer_config.json: refused with a one-line message, or a tokenizer that is whole.
#include <cstdint>

#include "check_tokenizer.h"

namespace {

// The next part; nothing if there is none, or it is empty.
std::optional<chorus::Bytes> take(std::string_view& text) {
  std::size_t length = std::min(text.find('\x01'), text.size());
  std::string_view part = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  if (part.empty()) return std::nullopt;
  return chorus::copy_bytes("fuzz", part);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace chorus;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  tokenizer::HuggingFaceFiles files;
  files.vocab_json = take(text);
  files.merges = take(text);
  files.added_tokens = take(text);
  files.special_tokens_map = take(text);
  files.tokenizer_config = take(text);
  if (!files.has_vocabulary()) return 0;  // GPT-2's own would be built each time
  auto read = tokenizer::read_huggingface(files);
  if (!read) {
    fuzz::check_error(read.assume_error());
  } else {
    fuzz::check_tokenizer(*read.assume_value().tokenizer);
  }
  return 0;
}

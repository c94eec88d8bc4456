// Any bytes: encoding them loses nothing, the stream decoder gives what a whole decode does, and no
// file of merges breaks the reader. libFuzzer; the first byte says how the rest is cut.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/utf8.h"
#include "tokenizer/byte_level_bpe.h"
#include "tokenizer/stream_decoder.h"

namespace {

using namespace chorus::tokenizer;

void require(bool promise) {
  if (!promise) std::abort();
}

void check_round_trip(std::string_view text, Special special) {
  const Tokenizer& gpt2 = *Tokenizer::gpt2();
  std::string expected = chorus::replace_ill_formed(text);
  require(chorus::is_well_formed(expected));
  std::vector<std::int32_t> ids = gpt2.encode(text, special).assume_value();
  require(gpt2.decode(ids) == expected);
  StreamDecoder decoder;
  std::string streamed;
  for (std::int32_t id : ids) streamed += decoder.push(*gpt2.token_bytes(id));
  require(streamed + decoder.finish() == expected);
}

void check_stream(std::string_view bytes, std::size_t step) {
  StreamDecoder decoder;
  std::string streamed;
  for (std::size_t i = 0; i < bytes.size(); i += step) {
    streamed += decoder.push(bytes.substr(i, step));
  }
  require(streamed + decoder.finish() == chorus::replace_ill_formed(bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_round_trip(text, Special::kAsText);
  check_round_trip(text, Special::kRecognise);
  check_stream(text, 1 + data[0] % 7u);
  (void)ByteLevelBpe::gpt2(chorus::copy_bytes("fuzz", text));
  return 0;
}

// Any bytes as a tokenizer.json: refused with a one-line message, or a tokenizer that is whole.
#include <cstdint>

#include "check_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace chorus;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto read = tokenizer::read_tokenizer_json(copy_bytes("fuzz", text));
  if (!read) {
    fuzz::check_error(read.assume_error());
  } else {
    fuzz::check_tokenizer(*read.assume_value().tokenizer);
  }
  return 0;
}

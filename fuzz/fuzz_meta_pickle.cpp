// Any bytes as nanoGPT's meta.pkl: refused with a one-line message, or characters that are whole.
#include <cstdint>

#include "check_tokenizer.h"
#include "checkpoint/pytorch/meta_pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace chorus;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto read = checkpoint::read_meta_pickle(copy_bytes("fuzz", bytes));
  if (!read) {
    fuzz::check_error(read.assume_error());
  } else {
    fuzz::check_tokenizer(*read.assume_value());
  }
  return 0;
}

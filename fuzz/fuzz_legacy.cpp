// Any bytes, as a checkpoint in torch.save's format before version 1.6. Bytes that do not begin as
// one are what follows its magic number and version. Every tensor that comes out must lie inside
// its data, and what can be assembled is assembled.
#include "check_tensors.h"

namespace {

using namespace std::string_literals;

const std::string kBeginning =
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s + "\x80\x02M\xe9\x03."s;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string input(reinterpret_cast<const char*>(data), size);
  if (!chorus::checkpoint::looks_like_pytorch(chorus::copy_bytes("input", input))) {
    input = kBeginning + input;
  }
  auto raw = chorus::checkpoint::read_pytorch(chorus::copy_bytes("input", input));
  if (!raw) {
    if (!raw.assume_error().message.starts_with("input: ")) std::abort();
    return 0;
  }
  chorus::fuzz::check_tensors(raw.assume_value());
  auto assembled = chorus::checkpoint::assemble(std::move(raw).assume_value(), {.n_head = 1});
  static_cast<void>(assembled);
  return 0;
}

// Any bytes as a safetensors file: refused with a one-line message, or a model all of whose weights
// can be read.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors/safetensors.h"
#include "support/safetensors_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace chorus;
  std::string input(reinterpret_cast<const char*>(data), size);
  if (input.starts_with('{')) input = test::safetensors_file(input, std::string(2048, '\1'));
  Bytes bytes = copy_bytes("input", input);
  auto content = checkpoint::read_safetensors(bytes);
  if (!content) {
    if (content.assume_error().message.empty()) std::abort();
    return 0;
  }
  auto opened = checkpoint::open(bytes);
  if (!opened) {
    if (opened.assume_error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  // Reads every weight: all of them lie inside the input. The smallest take half a byte.
  checkpoint::find_nonfinite(opened.assume_value());
  unsigned sum = 0;
  for (const auto& [name, matrix] : opened.assume_value().quantised) {
    for (std::byte byte : matrix.weights) sum += static_cast<unsigned>(byte);
  }
  volatile unsigned read = sum;
  static_cast<void>(read);
  if (opened.assume_value().parameter_count() > 2 * static_cast<std::int64_t>(input.size()))
    std::abort();
  return 0;
}

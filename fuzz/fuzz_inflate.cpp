// The first two bytes are a size, the rest is deflated data: what is made of it has that size or is
// refused. The same bytes then are a deflated member of an archive, and last the archive itself,
// whose directory may say of its members what it likes.
#include "check_tensors.h"
#include "checkpoint/little_endian.h"
#include "checkpoint/pytorch/inflate.h"
#include "support/zip_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  std::uint64_t wanted = chorus::checkpoint::load_u16(bytes.data());
  auto made = chorus::checkpoint::inflate_raw(bytes.subspan(2), wanted);
  if (made && wanted > 0) {
    volatile std::byte touched = made.assume_value()[static_cast<std::ptrdiff_t>(wanted - 1)];
    static_cast<void>(touched);
  }
  std::string input(reinterpret_cast<const char*>(data), size);
  std::string member = input.substr(2);
  for (const std::string& file :
       {chorus::test::write_zip(
            {{.name = "a/data.pkl", .data = member, .method = 8, .crc = 0, .size = wanted},
             {.name = "a/data/0", .data = member, .method = 8, .crc = 0, .size = wanted}}),
        input}) {
    auto raw = chorus::checkpoint::read_pytorch(chorus::copy_bytes("input", file));
    if (raw) chorus::fuzz::check_tensors(raw.assume_value());
  }
  return 0;
}

// Any bytes, as a PyTorch checkpoint. Bytes that begin as a zip are the whole file; other bytes are
// taken as the data.pkl of a file whose zip is right, as a CRC would otherwise keep a changed
// pickle from being read at all. Every tensor that comes out must lie inside its data.
#include <cstdlib>

#include "check_tensors.h"
#include "support/zip_writer.h"

namespace {

// The members of a file with this data.pkl, and with storages of the sizes that the seeds expect.
std::vector<chorus::test::ZipEntry> members_around(const std::string& data_pickle) {
  constexpr std::size_t kSizes[] = {176, 48, 16,  16, 192, 48, 64, 16,
                                    16,  16, 256, 64, 256, 16, 16, 16};
  std::vector<chorus::test::ZipEntry> members = {{.name = "archive/data.pkl", .data = data_pickle}};
  for (std::size_t size : kSizes) {
    std::string name = "archive/data/" + std::to_string(members.size() - 1);
    members.push_back({.name = name, .data = std::string(size, '\1')});
  }
  return members;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string input(reinterpret_cast<const char*>(data), size);
  if (!input.starts_with("PK")) {
    input = chorus::test::write_zip(members_around(input));
  }
  chorus::Bytes bytes = chorus::copy_bytes("input", input);
  auto raw = chorus::checkpoint::read_pytorch(bytes);
  if (!raw) {
    if (!raw.assume_error().message.starts_with("input: ")) std::abort();
    return 0;
  }
  chorus::fuzz::check_tensors(raw.assume_value());
  return 0;
}

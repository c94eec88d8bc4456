#include "checkpoint/pytorch/inflate.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include "core/error_text.h"

namespace chorus::checkpoint {
namespace {

constexpr std::uint64_t kLargestRatio = 1032;

// zlib's stream, ended at the end of a scope.
struct Stream {
  z_stream state{};
  bool is_open = inflateInit2(&state, -MAX_WBITS) == Z_OK;  // negative: without a header
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (is_open) inflateEnd(&state);
  }
};

// zlib counts in 32 bits: gives the next piece of what is left.
uInt take(std::uint64_t& left) {
  auto piece = static_cast<uInt>(std::min<std::uint64_t>(left, std::numeric_limits<uInt>::max()));
  left -= piece;
  return piece;
}

}  // namespace

Result<std::shared_ptr<const std::byte[]>> inflate_raw(std::span<const std::byte> compressed,
                                                       std::uint64_t size) {
  if (size / kLargestRatio > compressed.size()) {
    return corrupt(fmt::format("{} compressed bytes cannot be {}", compressed.size(), size));
  }
  std::shared_ptr<std::byte[]> result(new (std::nothrow)
                                          std::byte[std::max<std::uint64_t>(size, 1)]);
  Stream stream;
  if (!result || !stream.is_open) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("there is not the memory to decompress {} bytes", size)};
  }
  std::uint64_t input_left = compressed.size(), output_left = size;
  z_stream& state = stream.state;
  state.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(compressed.data()));
  state.next_out = reinterpret_cast<Bytef*>(result.get());
  int status = Z_OK;
  while (status == Z_OK) {
    if (state.avail_in == 0) state.avail_in = take(input_left);
    if (state.avail_out == 0) state.avail_out = take(output_left);
    status = inflate(&state, Z_NO_FLUSH);
  }
  std::uint64_t made = size - output_left - state.avail_out;
  if (status != Z_STREAM_END || made != size) {
    return corrupt(fmt::format("its compressed data is damaged after {} of {} bytes", made, size));
  }
  return std::shared_ptr<const std::byte[]>(std::move(result));
}

}  // namespace chorus::checkpoint

// Data compressed by deflate (RFC 1951), without a header, as a zip archive's members hold it.
// Pure function; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "chorus/error.h"

namespace chorus::checkpoint {

// `size` bytes, no more and no fewer. Memory is allotted only if `compressed` can be that many
// bytes (deflate makes at most 1032 of one). Errors: kCorrupt; kUnsupported without the memory.
Result<std::shared_ptr<const std::byte[]>> inflate_raw(std::span<const std::byte> compressed,
                                                       std::uint64_t size);

}  // namespace chorus::checkpoint

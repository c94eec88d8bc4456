// Little-endian integers at any address. Bounds are the caller's to check. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace chorus::checkpoint {

// The first `count` (at most 8) bytes at `bytes`, the lowest first.
inline std::uint64_t load_little_endian(const std::byte* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return value;
}

inline std::uint16_t load_u16(const std::byte* bytes) {
  return static_cast<std::uint16_t>(load_little_endian(bytes, 2));
}

inline std::uint32_t load_u32(const std::byte* bytes) {
  return static_cast<std::uint32_t>(load_little_endian(bytes, 4));
}

inline std::uint64_t load_u64(const std::byte* bytes) { return load_little_endian(bytes, 8); }

}  // namespace chorus::checkpoint

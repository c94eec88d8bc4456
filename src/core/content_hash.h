// A hash of much data, to tell contents apart: 128 bits, at the speed of memory. Not for keys, nor
// against somebody who looks for two contents of one hash: hub/digest.h has SHA-256.
//
// Every 8 bytes go through a function of the state that can be undone, so contents of one length
// that differ in one word never have one hash. The same on every (little-endian) processor.
//
// Thread contract: one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace chorus {

class ContentHash {
 public:
  ContentHash();

  // Where one part ends and the next begins is part of the content.
  void add(std::span<const std::byte> part);
  void add(std::string_view part) { add(std::as_bytes(std::span(part))); }
  template <class T>
  void add_values(std::span<const T> values) {
    add(std::as_bytes(values));
  }

  std::string hex() const;  // 32 digits

 private:
  static constexpr std::size_t kLanes = 8;  // words that are taken in side by side

  std::array<std::uint64_t, kLanes> lanes_;
};

}  // namespace chorus

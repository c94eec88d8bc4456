#include "core/content_hash.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace chorus {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15;  // odd; 2^64 / the golden ratio

constexpr std::uint64_t mix(std::uint64_t state, std::uint64_t word) {
  return std::rotl((state ^ word) * kMultiplier, 29);
}

// Every bit of the result depends on every bit of x.
constexpr std::uint64_t spread(std::uint64_t x) {
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  return x ^ (x >> 32);
}

}  // namespace

ContentHash::ContentHash() {
  for (std::size_t i = 0; i < kLanes; ++i) lanes_[i] = spread(i + 1);
}

void ContentHash::add(std::span<const std::byte> part) {
  constexpr std::size_t kBlock = kLanes * sizeof(std::uint64_t);
  std::array<std::uint64_t, kLanes> lanes = lanes_;
  lanes[0] = mix(lanes[0], part.size());
  auto take = [&lanes](const std::byte* block) {
    std::array<std::uint64_t, kLanes> words;
    std::memcpy(words.data(), block, kBlock);
    for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = mix(lanes[i], words[i]);
  };
  for (; part.size() >= kBlock; part = part.subspan(kBlock)) take(part.data());
  if (!part.empty()) {
    std::array<std::byte, kBlock> last{};
    std::memcpy(last.data(), part.data(), part.size());
    take(last.data());
  }
  lanes_ = lanes;
}

std::string ContentHash::hex() const {
  std::uint64_t high = 1, low = 2;
  for (std::uint64_t lane : lanes_) {
    high = mix(high, spread(lane));
    low = mix(low, spread(lane + kMultiplier));
  }
  return fmt::format("{:016x}{:016x}", spread(high), spread(low));
}

}  // namespace chorus

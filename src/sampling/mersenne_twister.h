// MT19937 (Matsumoto and Nishimura, 1998), the generator of std::mt19937 and of PyTorch on a CPU,
// which can also pass over outputs that nobody looks at for a fraction of their price. Belongs to
// one sequence; not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace chorus::sampling {

class MersenneTwister {
 public:
  explicit MersenneTwister(std::uint32_t seed);

  // The next 32 bits.
  std::uint32_t operator()() {
    if (next_ == kSize) twist();
    std::uint32_t x = state_[next_++];
    x ^= x >> 11;
    x ^= (x << 7) & 0x9d2c5680u;
    x ^= (x << 15) & 0xefc60000u;
    return x ^ (x >> 18);
  }

  // As so many calls, their results dropped.
  void discard(std::uint64_t count);

 private:
  static constexpr std::size_t kSize = 624;

  void twist();

  std::array<std::uint32_t, kSize> state_;
  std::size_t next_ = kSize;
};

}  // namespace chorus::sampling

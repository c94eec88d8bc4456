#include "sampling/mersenne_twister.h"

#include <algorithm>

namespace chorus::sampling {
namespace {

// The upper bit of one word and the rest of the next, times the generator's matrix.
constexpr std::uint32_t mix(std::uint32_t word, std::uint32_t following) {
  std::uint32_t joined = (word & 0x80000000u) | (following & 0x7fffffffu);
  return (joined >> 1) ^ ((0u - (following & 1u)) & 0x9908b0dfu);
}

}  // namespace

MersenneTwister::MersenneTwister(std::uint32_t seed) {
  state_[0] = seed;
  for (std::size_t i = 1; i < kSize; ++i) {
    std::uint32_t before = state_[i - 1];
    state_[i] = 1812433253u * (before ^ (before >> 30)) + static_cast<std::uint32_t>(i);
  }
}

void MersenneTwister::discard(std::uint64_t count) {
  while (count > 0) {
    if (next_ == kSize) twist();
    std::uint64_t here = std::min<std::uint64_t>(count, kSize - next_);
    next_ += static_cast<std::size_t>(here);
    count -= here;
  }
}

// Two loops without a dependence between neighbouring rounds, so that the compiler makes vectors of
// them: each word is made of itself, the next and the one 397 places on, around the end.
void MersenneTwister::twist() {
  constexpr std::size_t kShift = 397;
  std::uint32_t* word = state_.data();
  for (std::size_t i = 0; i < kSize - kShift; ++i) {
    word[i] = word[i + kShift] ^ mix(word[i], word[i + 1]);
  }
  for (std::size_t i = kSize - kShift; i < kSize - 1; ++i) {
    word[i] = word[i + kShift - kSize] ^ mix(word[i], word[i + 1]);
  }
  word[kSize - 1] = word[kShift - 1] ^ mix(word[kSize - 1], word[0]);
  next_ = 0;
}

}  // namespace chorus::sampling

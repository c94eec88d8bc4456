#include "sampling/mersenne_twister.h"

#include <gtest/gtest.h>

#include <random>

namespace chorus::sampling {
namespace {

TEST(MersenneTwister, IsTheStandardLibrarysFromAnySeed) {
  for (std::uint32_t seed : {0u, 1u, 42u, 5489u, 0x80000000u, 0xffffffffu}) {
    MersenneTwister twister(seed);
    std::mt19937 standard(seed);
    for (int i = 0; i < 5000; ++i) ASSERT_EQ(twister(), standard()) << seed << " " << i;
  }
}

TEST(MersenneTwister, PassesOverOutputsAsIfTheyHadBeenTaken) {
  MersenneTwister twister(7);
  std::mt19937 standard(7);
  for (std::uint64_t count : {0u, 1u, 622u, 623u, 624u, 625u, 1247u, 1248u, 1249u, 100608u, 3u}) {
    twister.discard(count);
    standard.discard(count);
    ASSERT_EQ(twister(), standard()) << count;
  }
}

}  // namespace
}  // namespace chorus::sampling

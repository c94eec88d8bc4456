#include "sampling/torch_random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace chorus::sampling {
namespace {

using Floats = std::vector<float>;

void expect_near(const Floats& found, const Floats& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 0.00005f) << i;
}

// torch.rand(5): one output each, of which a float keeps 24 bits.
Floats torch_rand5(TorchCpuGenerator& generator) {
  Floats values(5);
  for (float& value : values) {
    value = static_cast<float>(generator.random() & 0xffffffu) * 0x1p-24f;
  }
  return values;
}

Floats draws_of(RandomStream stream, std::uint64_t seed, std::size_t calls, std::size_t count) {
  ExponentialStream draws(stream, seed);
  Floats all;
  Floats one(count);
  for (std::size_t i = 0; i < calls; ++i) {
    draws.fill(one);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

TEST(TorchCpuGenerator, IsTheStandardMersenneTwisterOfTheSeedsLow32Bits) {
  for (std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{42}, std::uint64_t{4294967301},
                             std::uint64_t{0} - 1, std::uint64_t{0} - 12345}) {
    TorchCpuGenerator generator(seed);
    std::mt19937 standard(static_cast<std::uint32_t>(seed & 0xffffffffu));
    for (int i = 0; i < 2000; ++i) ASSERT_EQ(generator.random(), standard()) << seed;
  }
}

TEST(TorchCpuGenerator, GivesThePublishedTenThousandthOutput) {
  TorchCpuGenerator generator(5489);  // the standard's check value, [rand.predef]
  for (int i = 0; i < 9999; ++i) generator.random();
  EXPECT_EQ(generator.random(), 4123659995u);
}

TEST(TorchCpuGenerator, SixtyFourBitsAreTwoOutputsTheFirstOneHigh) {
  TorchCpuGenerator pairs(7);
  TorchCpuGenerator singles(7);
  std::uint64_t high = singles.random();
  std::uint64_t low = singles.random();
  EXPECT_EQ(pairs.random64(), (high << 32) | low);
}

TEST(ExponentialTorchCpu, GivesPyTorchsCheckValues) {
  TorchCpuGenerator generator(42);
  expect_near(torch_rand5(generator), {0.8823f, 0.9150f, 0.3829f, 0.9593f, 0.3904f});
  Floats draws(5);
  exponential_torch_cpu(generator, draws);
  expect_near(draws, {1.6459f, 0.4294f, 0.0677f, 1.3809f, 0.7803f});
}

TEST(ExponentialTorchCpu, ContinuesOneStreamFromCallToCall) {
  EXPECT_EQ(draws_of(RandomStream::kTorchCpu, 42, 4, 50),
            draws_of(RandomStream::kTorchCpu, 42, 1, 200));
}

TEST(ExponentialTorchCpuMkl, GivesPyTorchsCheckValues) {
  TorchCpuGenerator generator(42);
  torch_rand5(generator);
  Floats draws(5);
  exponential_torch_cpu_mkl(generator, draws);
  expect_near(draws, {0.5809f, 0.0436f, 2.0548f, 1.9680f, 0.3315f});
}

TEST(ExponentialTorchCpuMkl, TakesOneOutputOfTheGeneratorPerCall) {
  Floats calls = draws_of(RandomStream::kTorchCpuMkl, 42, 3, 50);
  std::mt19937 standard(42);
  for (std::size_t call = 0; call < 3; ++call) {
    double uniform = static_cast<double>(standard() % 0x7fffffffu) / 0x7fffffff;
    EXPECT_FLOAT_EQ(calls[call * 50], static_cast<float>(-std::log(uniform))) << call;
  }
}

// The known-answer vectors of the Random123 library for philox4x32-10.
TEST(Philox, GivesTheKnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(ExponentialTorchCuda, GivesPyTorchsCheckValues) {
  Floats draws(5);
  exponential_torch_cuda(0, 0, draws);
  Floats uniforms;
  for (float draw : draws) uniforms.push_back(std::exp(-draw));
  expect_near(uniforms, {0.3990f, 0.5167f, 0.0249f, 0.9401f, 0.9459f});
}

TEST(ExponentialTorchCuda, CountsCallsInTheCounterAndKeepsAllOfTheSeed) {
  Floats calls = draws_of(RandomStream::kTorchCuda, 9, 3, 50);
  Floats third(50);
  exponential_torch_cuda(9, 2, third);
  EXPECT_EQ(Floats(calls.begin() + 100, calls.end()), third);
  EXPECT_NE(draws_of(RandomStream::kTorchCuda, 5, 1, 5),
            draws_of(RandomStream::kTorchCuda, 4294967301, 1, 5));
}

TEST(ExponentialStream, NoDrawIsZeroOrInfinite) {
  for (RandomStream stream :
       {RandomStream::kTorchCpu, RandomStream::kTorchCpuMkl, RandomStream::kTorchCuda}) {
    for (float draw : draws_of(stream, 3, 1000, 200)) {
      ASSERT_GT(draw, 0.0f);
      ASSERT_TRUE(std::isfinite(draw));
    }
  }
}

}  // namespace
}  // namespace chorus::sampling

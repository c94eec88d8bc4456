#include "limits/machine.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "core/aligned_buffer.h"
#include "kernels/kernels.h"
#include "limits/programs.h"
#include "support/amx_emulator.h"

namespace chorus::limits {
namespace {

class ProgramsTest : public testing::TestWithParam<kernels::Isa> {
 protected:
  void SetUp() override {
    if (!kernels::is_supported(GetParam()))
      GTEST_SKIP() << "this processor lacks " << kernels::isa_name(GetParam());
  }
  Programs programs() const { return programs_for(kernels::isa_name(GetParam())); }
};

// A loop that leaves out a part of the buffer would measure too much. The result is the first of
// the vectors' lanes, so one element of each lane's positions decides it.
TEST_P(ProgramsTest, ReadDependsOnEveryPartOfTheBuffer) {
  constexpr std::size_t kCount = 4 * kReadTurn;
  for (std::size_t i = 0; i < kCount; i += 16) {
    AlignedBuffer<float> buffer(kCount);
    float nothing = programs().read(buffer.data(), kCount);
    buffer[i] = 1.0f;
    EXPECT_NE(programs().read(buffer.data(), kCount), nothing) << "element " << i;
  }
}

TEST_P(ProgramsTest, ArithmeticEndsInANumber) {
  EXPECT_GT(programs().multiply_add(), 0.0f);
  EXPECT_NE(programs().dot(), 0.0f);
  EXPECT_GE(programs().multiply_add_operations, 2.0 * kTurns);
  EXPECT_GE(programs().dot_operations, 2.0 * kTurns);
}

TEST_P(ProgramsTest, MeasureFindsWhatAnyMachineCanDoAndNoneCannot) {
  for (std::size_t threads : {1, 2}) {
    Limits limits = measure(kernels::isa_name(GetParam()), threads,
                            {.bytes = std::size_t{1} << 20, .seconds = 0.01});
    EXPECT_EQ(limits.threads, threads);
    EXPECT_EQ(limits.no_memory_read, "");
    for (Figure figure : {limits.cache_read, limits.memory_read.value(), limits.f32, limits.int8}) {
      EXPECT_LE(figure.median, figure.best);
      EXPECT_GT(figure.best, 1e6);
      EXPECT_LT(figure.best, 1e14);
    }
  }
}

#if defined(__x86_64__) && defined(__linux__)
// The results say how many products there were, and that the tiles were of full size.
TEST(AmxPrograms, MultiplyWholeTilesInEveryTurn) {
  std::optional<test::AmxEmulator> emulator;
  if (test::AmxEmulator::can_emulate()) emulator.emplace();
  auto programs = amx_programs_for("avx512");
  if (!programs) GTEST_SKIP() << "AMX: " << programs.assume_error().message;
  for (std::size_t turns : {1u, 7u, 100u}) {
    auto count = static_cast<float>(turns);
    EXPECT_EQ(programs.assume_value().int8(turns), 4 * 960 * count);
    if (programs.assume_value().bf16 != nullptr) {
      EXPECT_EQ(programs.assume_value().bf16(turns), 4 * 16 * count);
    }
  }
  EXPECT_TRUE(!emulator || emulator->products() == 2 * 4 * (1 + 7 + 100));
}

TEST(AmxPrograms, AreAbsentWithAReason) {
  auto reason = [](const char* instructions, const char* amx) {
    ::setenv("CHORUS_AMX", amx, 1);
    auto programs = amx_programs_for(instructions);
    ::unsetenv("CHORUS_AMX");
    return programs ? "" : programs.assume_error().message;
  };
  EXPECT_EQ(reason("avx2", ""), "it is part of avx512");
  EXPECT_EQ(reason("scalar", "0"), "it is part of avx512");
  if (!kernels::is_supported(kernels::Isa::kAvx512)) GTEST_SKIP() << "this processor lacks avx512";
  EXPECT_EQ(reason("avx512", "0"), "CHORUS_AMX=0");
  static const kernels::Amx kRefused{.missing = "the system refused its use"};
  kernels::pretend_amx(&kRefused);
  EXPECT_EQ(reason("avx512", ""), "the system refused its use");
  kernels::pretend_amx(nullptr);
}
#endif

TEST_P(ProgramsTest, AmxIsMeasuredOrNot) {
  Limits limits =
      measure(kernels::isa_name(GetParam()), 1, {.bytes = std::size_t{1} << 20, .seconds = 0.01});
  EXPECT_NE(limits.amx_int8.has_value(), !limits.no_amx.empty());
  if (limits.amx_int8) {
    EXPECT_EQ(&limits.best_int8(), &*limits.amx_int8);
    EXPECT_GT(limits.amx_int8->best, 1e6);
  } else {
    EXPECT_EQ(&limits.best_int8(), &limits.int8);
  }
}

INSTANTIATE_TEST_SUITE_P(Instructions, ProgramsTest,
                         testing::Values(kernels::Isa::kScalar, kernels::Isa::kAvx2,
                                         kernels::Isa::kAvx512),
                         [](const auto& test) {
                           return std::string(kernels::isa_name(test.param));
                         });

// Reading memory that nobody wrote is reading one page of zeros, from the first-level cache. As much
// as is measured must have been resident.
TEST(Measure, WritesWhatItReads) {
  constexpr std::size_t kBytes = std::size_t{192} << 20;
  rusage before{}, after{};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &before), 0);
  measure("scalar", 2, {.bytes = kBytes, .seconds = 0.01});
  ASSERT_EQ(getrusage(RUSAGE_SELF, &after), 0);
  if (static_cast<std::size_t>(before.ru_maxrss) << 10 > kBytes)
    GTEST_SKIP() << "too large already";
  EXPECT_GT(static_cast<std::size_t>(after.ru_maxrss) << 10, kBytes);
}

TEST(Limits, WeightsLieInTheCacheThatHoldsThem) {
  Limits limits{.threads = 1,
                .cache_bytes = 32 << 20,
                .cache_read = {200e9, 190e9},
                .memory_read = Figure{40e9, 39e9},
                .f32 = {},
                .int8 = {}};
  EXPECT_TRUE(limits.fits_cache(32 << 20));
  EXPECT_EQ(limits.read(31 << 20)->best, 200e9);
  EXPECT_FALSE(limits.fits_cache((32 << 20) + 1));
  EXPECT_EQ(limits.read(33 << 20)->best, 40e9);
  limits.cache_bytes = 0;  // unknown
  EXPECT_EQ(limits.read(1)->best, 40e9);
  limits.memory_read.reset();
  EXPECT_FALSE(limits.read(1).has_value());
}

TEST(Limits, MoreThanTheCacheIsReadButNotMoreThanThereIs) {
  constexpr std::size_t kMiB = 1 << 20, kGiB = 1024 * kMiB;
  EXPECT_EQ(memory_to_read(64 * kGiB, 32 * kMiB), kGiB);
  EXPECT_EQ(memory_to_read(64 * kGiB, 480 * kMiB), 4 * 480 * kMiB);
  EXPECT_EQ(memory_to_read(600 * kMiB, 32 * kMiB), 300 * kMiB);
  EXPECT_EQ(memory_to_read(256 * kMiB, 32 * kMiB), 128 * kMiB);
  EXPECT_EQ(memory_to_read(255 * kMiB, 32 * kMiB), 0u);  // half of it would mostly be the cache
  EXPECT_EQ(memory_to_read(3 * kGiB, 480 * kMiB), 0u);
  EXPECT_EQ(memory_to_read(0, 32 * kMiB), kGiB);  // the system does not say how much there is,
  EXPECT_EQ(memory_to_read(600 * kMiB, 0), 300 * kMiB);  // or how large the cache is
  EXPECT_EQ(memory_to_read(500 * kMiB, 0), 0u);
}

TEST(ProcessorName, IsOneLine) {
  EXPECT_FALSE(processor_name().empty());
  EXPECT_EQ(processor_name().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace chorus::limits

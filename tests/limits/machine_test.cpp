#include "limits/machine.h"

#include <gtest/gtest.h>

#include <string>

#include "core/aligned_buffer.h"
#include "kernels/kernels.h"
#include "limits/programs.h"

namespace chorus::limits {
namespace {

class ProgramsTest : public testing::TestWithParam<kernels::Isa> {
 protected:
  void SetUp() override {
    if (!kernels::is_supported(GetParam())) GTEST_SKIP() << "this processor does not have it";
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
    for (Figure figure : {limits.read, limits.f32, limits.int8}) {
      EXPECT_LE(figure.median, figure.best);
      EXPECT_GT(figure.best, 1e6);
      EXPECT_LT(figure.best, 1e14);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Instructions, ProgramsTest,
                         testing::Values(kernels::Isa::kScalar, kernels::Isa::kAvx2,
                                         kernels::Isa::kAvx512),
                         [](const auto& test) {
                           return std::string(kernels::isa_name(test.param));
                         });

TEST(ProcessorName, IsOneLine) {
  EXPECT_FALSE(processor_name().empty());
  EXPECT_EQ(processor_name().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace chorus::limits

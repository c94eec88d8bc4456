#include "engine/lingering.h"

#include <gtest/gtest.h>

namespace chorus::engine {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(Lingering, WaitsForNobodyWhereNoTextHasEnded) {
  Lingering lingering;
  EXPECT_EQ(lingering.time(0, 14, milliseconds(8)).count(), 0);
  EXPECT_EQ(lingering.time(0, 0, milliseconds(8)).count(), 0);
  EXPECT_EQ(lingering.time(1, 0, milliseconds(8)).count(), 0);
}

TEST(Lingering, WaitsForAQuarterOfTheEndedOnesPartOfAStepAndAtMostAMillisecond) {
  Lingering lingering;
  EXPECT_EQ(lingering.time(1, 16, milliseconds(8)), microseconds(125));
  EXPECT_EQ(lingering.time(4, 16, milliseconds(8)), microseconds(500));
  EXPECT_EQ(lingering.time(16, 16, milliseconds(3)), microseconds(750));
  EXPECT_EQ(lingering.time(16, 16, milliseconds(300)), milliseconds(1));
  EXPECT_EQ(lingering.time(32, 16, milliseconds(3)), microseconds(750));
}

std::size_t times_in(std::size_t steps, Lingering& lingering) {
  std::size_t times = 0;
  for (std::size_t i = 0; i < steps; ++i) {
    if (lingering.time(1, 4, milliseconds(8)).count() == 0) continue;
    ++times;
    lingering.note(false);
  }
  return times;
}

TEST(Lingering, WaitsSeldomWhereNobodyComesAndAlwaysWhereSomebodyDoes) {
  Lingering lingering;
  EXPECT_EQ(times_in(1, lingering), 1u);
  EXPECT_EQ(times_in(2, lingering), 1u);
  EXPECT_LE(times_in(1000, lingering), 40u);
  while (lingering.time(1, 4, milliseconds(8)).count() == 0) continue;
  lingering.note(true);
  for (int i = 0; i < 10; ++i) {
    EXPECT_GT(lingering.time(1, 4, milliseconds(8)).count(), 0);
    lingering.note(true);
  }
}

}  // namespace
}  // namespace chorus::engine

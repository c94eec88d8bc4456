#include "sampling/natural_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace chorus::sampling {
namespace {

// The distance from log(x) to the truth, in units of the last place of a double.
double error_in_ulp(double x) {
  long double truth = std::log(static_cast<long double>(x));
  auto rounded = static_cast<double>(truth);
  if (rounded == 0.0) return natural_log(x) == 0.0 ? 0.0 : 1e9;
  long double ulp = std::ldexp(1.0L, std::ilogb(rounded) - 52);
  return static_cast<double>(std::abs((static_cast<long double>(natural_log(x)) - truth) / ulp));
}

TEST(NaturalLog, IsExactWhereTheAnswerIs) {
  EXPECT_EQ(natural_log(1.0), 0.0);
  EXPECT_FALSE(std::signbit(natural_log(1.0)));
  EXPECT_EQ(natural_log(2.0), 0x1.62e42fefa39efp-1);
  EXPECT_EQ(natural_log(0.5), -0x1.62e42fefa39efp-1);
}

TEST(NaturalLog, IsWithinOneUnitOfTheLastPlaceOnTheUniformsOfAGenerator) {
  std::mt19937_64 random(1);
  double worst = 0.0;
  for (int i = 0; i < 400000; ++i) {
    double x = 1.0 - static_cast<double>(random() >> 11) * 0x1p-53;
    worst = std::max(worst, error_in_ulp(x));
  }
  EXPECT_LT(worst, 1.0);
}

TEST(NaturalLog, IsWithinOneUnitOfTheLastPlaceNearOneAndAtEveryMagnitude) {
  std::mt19937_64 random(2);
  double worst = 0.0;
  for (int i = 0; i < 100000; ++i) {
    double fraction = 1.0 + static_cast<double>(random() >> 12) * 0x1p-52;
    int exponent = static_cast<int>(random() % 2045) - 1022;
    worst = std::max(worst, error_in_ulp(std::ldexp(fraction, exponent)));
    int closeness = -1 - static_cast<int>(random() % 52);
    double step = std::ldexp(fraction, closeness - 1);
    worst = std::max(worst, error_in_ulp(1.0 - step));
    worst = std::max(worst, error_in_ulp(1.0 + step));
  }
  for (int exponent = 1; exponent <= 53; ++exponent) {
    worst = std::max(worst, error_in_ulp(std::ldexp(1.0, -exponent)));
    worst = std::max(worst, error_in_ulp(1.0 - std::ldexp(1.0, -exponent)));
  }
  EXPECT_LT(worst, 1.0);
}

TEST(NaturalLog, IsWithinOneUnitOfTheLastPlaceAroundTheSwitchAtTheSquareRootOfTwo) {
  double worst = 0.0;
  for (double centre : {std::sqrt(2.0), std::sqrt(0.5)}) {
    double x = centre - 1000 * 0x1p-52;
    for (int i = 0; i < 4000; ++i, x = std::nextafter(x, 2.0)) {
      worst = std::max(worst, error_in_ulp(x));
    }
  }
  EXPECT_LT(worst, 1.0);
}

}  // namespace
}  // namespace chorus::sampling

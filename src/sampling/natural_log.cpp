#include "sampling/natural_log.h"

#include <bit>
#include <cstdint>

namespace chorus::sampling {
namespace {

// ln 2 in two parts; the high one has 32 significant bits, so that its product with any exponent of
// a double is exact.
constexpr double kLn2High = 0x1.62e42feep-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

constexpr std::uint64_t kFractionMask = 0x000fffffffffffffu;
constexpr std::uint64_t kExponentOfOne = 0x3ff0000000000000u;
constexpr std::uint64_t kSqrt2Fraction = 0x6a09e667f3bcdu;  // of sqrt(2), rounded up

// log(1 + f) = log(1 + s) - log(1 - s) = 2 s (1 + z/3 + z^2/5 + ...), s = f / (2 + f), z = s^2.
// Returns 2 (z/3 + z^2/5 + ...). For z <= (3 - 2 sqrt 2)^2 = 0.0295 the terms left out are below
// 2^-59 of the sum of the series.
double series(double z) {
  double sum = 2.0 / 23;
  sum = sum * z + 2.0 / 21;
  sum = sum * z + 2.0 / 19;
  sum = sum * z + 2.0 / 17;
  sum = sum * z + 2.0 / 15;
  sum = sum * z + 2.0 / 13;
  sum = sum * z + 2.0 / 11;
  sum = sum * z + 2.0 / 9;
  sum = sum * z + 2.0 / 7;
  sum = sum * z + 2.0 / 5;
  sum = sum * z + 2.0 / 3;
  return sum * z;
}

}  // namespace

double natural_log(double x) {
  // x = 2^exponent * (1 + f), with 1 + f in [sqrt(1/2), sqrt(2)).
  auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<std::int64_t>(bits >> 52) - 1023;
  std::uint64_t fraction = bits & kFractionMask;
  double mantissa = std::bit_cast<double>(kExponentOfOne | fraction);
  if (fraction >= kSqrt2Fraction) {
    mantissa *= 0.5;
    exponent += 1;
  }
  double f = mantissa - 1.0;  // exact
  double s = f / (2.0 + f);
  // 2 s = f - s f, and s f = f^2/2 - s f^2/2: so log(1 + f) = f - (f^2/2 - s (f^2/2 + R)). The
  // large term f is exact, and every rounding happens in a term that is small beside it.
  double half_square = 0.5 * f * f;
  double small = s * (half_square + series(s * s));
  auto k = static_cast<double>(exponent);
  return k * kLn2High - ((half_square - (small + k * kLn2Low)) - f);
}

}  // namespace chorus::sampling

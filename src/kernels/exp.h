// The transcendental functions of the kernels, as scalar programs: these define the bits that every
// vectorised kernel returns. Each step is one IEEE 754 operation or one fused multiply-add, so the
// result is the same on every processor. `static`: no copy of these may be shared between
// translation units that are built for different instruction sets.
//
// The polynomials were fitted by iteratively reweighted least squares (close to minimax) to the
// functions named beside them; tests/kernels/exp_test.cpp holds the error bounds against double.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace chorus::kernels {

inline constexpr float kLog2E = 1.44269504088896341f;
inline constexpr float kRoundToInteger = 0x1.8p23f;  // adding it rounds |x| < 2^22 to an integer
inline constexpr float kLn2High = 0x1.63p-1f;        // few bits: n * kLn2High is exact
inline constexpr float kLn2Low = -0x1.bd0106p-13f;
inline constexpr float kExpLow = -104.0f;  // below: 0
inline constexpr float kExpHigh = 88.8f;   // above: infinity

// (exp(r) - 1 - r) / r^2 on |r| <= ln(2) / 2; relative error of exp below 4e-9.
inline constexpr float kExpPolynomial[5] = {0x1.0p-1f, 0x1.55548ep-3f, 0x1.55545ep-5f,
                                            0x1.123bdep-7f, 0x1.6db4e8p-10f};
// erf(z) / z in powers of z^2, on 0 <= z <= 1.
inline constexpr float kErfPolynomial[8] = {1.1283792f,      -0.37612638f,  0.112837784f,
                                            -0.026865233f,   0.0052205217f, -0.0008477141f,
                                            0.000112183676f, -9.537338e-06f};
// log(erfc(z)) in powers of z, on 1 <= z <= 4.
inline constexpr float kLogErfcPolynomial[10] = {
    0.00012529295f, -1.1292038f,    -0.6341961f,   -0.10696149f,   0.0238365f,
    -0.0033602635f, 0.00010175758f, 6.434214e-05f, -1.245288e-05f, 7.8452655e-07f};
inline constexpr float kErfcZeroFrom = 4.0f;  // erfc(4) = 1.5e-8: 0 from here on
inline constexpr float kSqrtHalf = 0.70710678118654752f;

// GELU's tanh form, x / (1 + exp(-2u)) with u = sqrt(2/pi) (x + 0.044715 x^3): equal to
// x/2 (1 + tanh u), without its cancellation.
inline constexpr float kGeluLinear = -1.5957691216057308f;  // -2 sqrt(2/pi)
inline constexpr float kGeluCubic = -1.5957691216057308f * 0.044715f;

// e^x. Error below 1.05 ulp; NaN stays NaN.
[[maybe_unused]] static inline float exp_f32(float x) {
  if (x < kExpLow) return 0.0f;
  if (x > kExpHigh) return std::bit_cast<float>(0x7f800000u);
  float shifted = std::fma(x, kLog2E, kRoundToInteger);
  float n = shifted - kRoundToInteger;
  float r = std::fma(n, -kLn2High, x);
  r = std::fma(n, -kLn2Low, r);
  float q = kExpPolynomial[4];
  for (int i = 3; i >= 0; --i) q = std::fma(q, r, kExpPolynomial[i]);
  float p = std::fma(q, r * r, r) + 1.0f;
  // p * 2^n in two factors, so that neither overflows nor loses a subnormal result.
  auto exponent = static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(shifted) -
                                            std::bit_cast<std::uint32_t>(kRoundToInteger));
  std::int32_t half = exponent >> 1;
  auto power = [](std::int32_t e) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(e + 127) << 23);
  };
  return p * power(half) * power(exponent - half);
}

[[maybe_unused]] static inline float gelu_tanh_f32(float x) {
  float minus_two_u = x * std::fma(kGeluCubic, x * x, kGeluLinear);
  return x / (1.0f + exp_f32(minus_two_u));
}

// x/2 (1 + erf(x / sqrt 2)), by erfc where 1 + erf would cancel.
[[maybe_unused]] static inline float gelu_erf_f32(float x) {
  float z = std::fabs(x) * kSqrtHalf;
  float half_erfc;  // erfc(z) / 2
  if (z < 1.0f) {
    float z2 = z * z;
    float p = kErfPolynomial[7];
    for (int i = 6; i >= 0; --i) p = std::fma(p, z2, kErfPolynomial[i]);
    half_erfc = std::fma(-0.5f * z, p, 0.5f);
  } else if (z < kErfcZeroFrom) {
    float q = kLogErfcPolynomial[9];
    for (int i = 8; i >= 0; --i) q = std::fma(q, z, kLogErfcPolynomial[i]);
    half_erfc = 0.5f * exp_f32(q);
  } else {
    half_erfc = z == z ? 0.0f : z;  // NaN stays NaN
  }
  return x * (x > 0.0f ? 1.0f - half_erfc : half_erfc);
}

[[maybe_unused]] static inline float relu_f32(float x) { return x < 0.0f ? 0.0f : x; }

}  // namespace chorus::kernels

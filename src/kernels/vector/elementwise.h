// Kernels that make each element of its own, over vectors: exp.h and scalar.cpp are the definition,
// whose operations these make in the same order.
#pragma once

#include "kernels/vector/lanes.h"

namespace chorus::kernels {
namespace {

inline Vector exp_vector(Vector x) {
  Vector shifted = fma(x, Vector::broadcast(kLog2E), Vector::broadcast(kRoundToInteger));
  Vector n = shifted - Vector::broadcast(kRoundToInteger);
  Vector r = fma(n, Vector::broadcast(-kLn2High), x);
  r = fma(n, Vector::broadcast(-kLn2Low), r);
  Vector q = Vector::broadcast(kExpPolynomial[4]);
  for (int i = 3; i >= 0; --i) q = fma(q, r, Vector::broadcast(kExpPolynomial[i]));
  Vector p = fma(q, r * r, r) + Vector::broadcast(1.0f);
  Vector result = scale_by_power(p, shifted);
  result = less(x, Vector::broadcast(kExpLow), Vector::zero(), result);
  return less(Vector::broadcast(kExpHigh), x, Vector::broadcast(__builtin_inff()), result);
}

inline Vector gelu_tanh_vector(Vector x) {
  Vector minus_two_u =
      x * fma(Vector::broadcast(kGeluCubic), x * x, Vector::broadcast(kGeluLinear));
  return x / (Vector::broadcast(1.0f) + exp_vector(minus_two_u));
}

inline Vector gelu_erf_vector(Vector x) {
  Vector zero = Vector::zero();
  Vector half = Vector::broadcast(0.5f);
  Vector z = absolute(x) * Vector::broadcast(kSqrtHalf);

  Vector z2 = z * z;
  Vector p = Vector::broadcast(kErfPolynomial[7]);
  for (int i = 6; i >= 0; --i) p = fma(p, z2, Vector::broadcast(kErfPolynomial[i]));
  Vector small = fma(Vector::broadcast(-0.5f) * z, p, half);

  Vector q = Vector::broadcast(kLogErfcPolynomial[9]);
  for (int i = 8; i >= 0; --i) q = fma(q, z, Vector::broadcast(kLogErfcPolynomial[i]));
  Vector large = half * exp_vector(q);

  // z for NaN, which no comparison holds for; 0 from kErfcZeroFrom on.
  Vector four = Vector::broadcast(kErfcZeroFrom);
  Vector rest = not_less(z, four, zero, z);
  Vector half_erfc = less(z, Vector::broadcast(1.0f), small, less(z, four, large, rest));
  return x * less(zero, x, Vector::broadcast(1.0f) - half_erfc, half_erfc);
}

inline Vector relu_vector(Vector x) { return less(x, Vector::zero(), Vector::zero(), x); }

template <Vector function(Vector)>
void map(float* x, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) function(Vector::load(x + i)).store(x + i);
  if (i < n) function(Vector::load_first(x + i, n - i)).store_first(x + i, n - i);
}

void add(float* x, const float* y, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) (Vector::load(x + i) + Vector::load(y + i)).store(x + i);
  for (; i < n; ++i) x[i] += y[i];
}

void scale_all(float* x, std::size_t n, float factor) {
  Vector factors = Vector::broadcast(factor);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) (Vector::load(x + i) * factors).store(x + i);
  for (; i < n; ++i) x[i] *= factor;
}

}  // namespace
}  // namespace chorus::kernels

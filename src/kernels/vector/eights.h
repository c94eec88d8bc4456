// Eight running sums in one register, which both instruction sets have.
#pragma once

#include <immintrin.h>

namespace chorus::kernels {
namespace {

// By (l, l + width) pairs for width 4, 2, 1.
inline float sum8(__m256 lanes) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

struct Eights {
  __m256 v;
  static Eights zero() { return {_mm256_setzero_ps()}; }
  float total() const { return sum8(v); }
};

}  // namespace
}  // namespace chorus::kernels

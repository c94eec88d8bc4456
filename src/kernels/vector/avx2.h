// `Vector` over AVX2: 8 lanes, 16 registers. Included by the files that are built with -mavx2
// -mfma, each of which gets its own copy in an anonymous namespace; what the members do is said in
// concepts.h.
#pragma once

#include <immintrin.h>

#include "kernels/vector/concepts.h"
#include "kernels/vector/eights.h"

namespace chorus::kernels {
namespace {

struct Vector {
  static constexpr std::size_t kLanes = 8;
  __m256 v;

  static __m256i mask_of(std::size_t lanes) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(lanes)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Vector load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Vector load_first(const float* p, std::size_t lanes) {
    return {_mm256_maskload_ps(p, mask_of(lanes))};
  }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store_first(float* p, std::size_t lanes) const { _mm256_maskstore_ps(p, mask_of(lanes), v); }
  Vector first(std::size_t lanes) const {
    return {_mm256_and_ps(v, _mm256_castsi256_ps(mask_of(lanes)))};
  }
  static Vector broadcast(float value) { return {_mm256_set1_ps(value)}; }
  static Vector zero() { return {_mm256_setzero_ps()}; }
  static Vector widen_bf16(const std::uint16_t* p) {
    __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
  }
  static __m256i load_pairs(const std::uint16_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Vector widen_even(const std::uint16_t* p) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(load_pairs(p), 16))};
  }
  static Vector widen_odd(const std::uint16_t* p) {
    return {_mm256_castsi256_ps(
        _mm256_and_si256(load_pairs(p), _mm256_set1_epi32(static_cast<int>(0xffff0000))))};
  }
};

inline Vector operator+(Vector a, Vector b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vector operator-(Vector a, Vector b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vector operator*(Vector a, Vector b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vector operator/(Vector a, Vector b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Vector max(Vector a, Vector b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Vector absolute(Vector a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
inline Vector less(Vector a, Vector b, Vector x, Vector y) {
  return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
}
inline Vector not_less(Vector a, Vector b, Vector x, Vector y) {
  return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ))};
}
inline Vector scale_by_power(Vector p, Vector shifted) {
  __m256i exponent = _mm256_sub_epi32(_mm256_castps_si256(shifted.v),
                                      _mm256_castps_si256(_mm256_set1_ps(kRoundToInteger)));
  __m256i half = _mm256_srai_epi32(exponent, 1);
  __m256i rest = _mm256_sub_epi32(exponent, half);
  __m256i bias = _mm256_set1_epi32(127);
  Vector low{_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23))};
  Vector high{_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23))};
  return p * low * high;
}

inline Eights add_eights(Eights sums, Vector x) { return {_mm256_add_ps(sums.v, x.v)}; }
inline unsigned over(Vector a, Vector b) {
  return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)));
}
inline float sum16(const Vector (&sums)[2]) { return sum8(_mm256_add_ps(sums[0].v, sums[1].v)); }

inline Vector round_to_bf16(Vector x) {
  __m256i bits = _mm256_castps_si256(x.v);
  __m256i is_odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  __m256i nearest = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), is_odd);
  __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x00400000));
  __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q));
  __m256i kept = _mm256_and_si256(_mm256_blendv_epi8(nearest, quiet, is_nan),
                                  _mm256_set1_epi32(static_cast<int>(0xffff0000)));
  Vector rounded{_mm256_castsi256_ps(kept)};
  // Not less, so that NaN stays.
  return {_mm256_and_ps(
      rounded.v, _mm256_cmp_ps(absolute(rounded).v, _mm256_set1_ps(kBf16Zero), _CMP_NLT_UQ))};
}

// --- of the activation quantiser ---

struct IntegerSum {
  __m256i v;
  static IntegerSum zero() { return {_mm256_setzero_si256()}; }
  std::int32_t total() const {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
  }
};

inline Vector larger_magnitude(Vector largest, Vector x) {
  return {_mm256_castsi256_ps(
      _mm256_max_epi32(_mm256_castps_si256(largest.v), _mm256_castps_si256(absolute(x).v)))};
}
inline std::uint32_t largest_bits(Vector magnitudes) {
  __m256i bits = _mm256_castps_si256(magnitudes.v);
  __m128i four = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
  __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  __m128i one = _mm_max_epi32(two, _mm_shuffle_epi32(two, 0xb1));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(one));
}
inline void store_rounded(Vector x, std::int8_t* out, IntegerSum& sum) {
  __m256i rounded = _mm256_cvtps_epi32(x.v);
  sum.v = _mm256_add_epi32(sum.v, rounded);
  __m128i halves =
      _mm_packs_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packs_epi16(halves, halves));
}

static_assert(FloatVector<Vector> && EightSums<Eights, Vector>);
static_assert(QuantisingVector<Vector, IntegerSum>);

}  // namespace
}  // namespace chorus::kernels

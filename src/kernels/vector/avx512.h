// `Vector` over AVX-512 (F, BW, DQ, VL): 16 lanes, 32 registers. Included by the files that are
// built for it, each of which gets its own copy in an anonymous namespace; what the members do is
// said in concepts.h.
#pragma once

#include <immintrin.h>

#include "kernels/vector/concepts.h"
#include "kernels/vector/eights.h"

namespace chorus::kernels {
namespace {

struct Vector {
  static constexpr std::size_t kLanes = 16;
  __m512 v;

  static __mmask16 mask_of(std::size_t lanes) { return static_cast<__mmask16>((1u << lanes) - 1u); }
  static Vector load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Vector load_first(const float* p, std::size_t lanes) {
    return {_mm512_maskz_loadu_ps(mask_of(lanes), p)};
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store_first(float* p, std::size_t lanes) const {
    _mm512_mask_storeu_ps(p, mask_of(lanes), v);
  }
  Vector first(std::size_t lanes) const { return {_mm512_maskz_mov_ps(mask_of(lanes), v)}; }
  static Vector broadcast(float value) { return {_mm512_set1_ps(value)}; }
  static Vector zero() { return {_mm512_setzero_ps()}; }
  static Vector widen_bf16(const std::uint16_t* p) {
    __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
  }
  static Vector widen_even(const std::uint16_t* p) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16))};
  }
  static Vector widen_odd(const std::uint16_t* p) {
    return {_mm512_castsi512_ps(
        _mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32(static_cast<int>(0xffff0000))))};
  }
};

inline Vector operator+(Vector a, Vector b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vector operator-(Vector a, Vector b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vector operator*(Vector a, Vector b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vector operator/(Vector a, Vector b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Vector max(Vector a, Vector b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Vector absolute(Vector a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
inline Vector less(Vector a, Vector b, Vector x, Vector y) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), y.v, x.v)};
}
inline Vector not_less(Vector a, Vector b, Vector x, Vector y) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ), y.v, x.v)};
}
inline Vector scale_by_power(Vector p, Vector shifted) {
  __m512i exponent = _mm512_sub_epi32(_mm512_castps_si512(shifted.v),
                                      _mm512_castps_si512(_mm512_set1_ps(kRoundToInteger)));
  __m512i half = _mm512_srai_epi32(exponent, 1);
  __m512i rest = _mm512_sub_epi32(exponent, half);
  __m512i bias = _mm512_set1_epi32(127);
  Vector low{_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(half, bias), 23))};
  Vector high{_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(rest, bias), 23))};
  return p * low * high;
}

inline Eights add_eights(Eights sums, Vector x) {
  return {_mm256_add_ps(_mm256_add_ps(sums.v, _mm512_castps512_ps256(x.v)),
                        _mm512_extractf32x8_ps(x.v, 1))};
}
inline unsigned over(Vector a, Vector b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ); }
inline float sum16(const Vector (&sums)[1]) {
  return sum8(
      _mm256_add_ps(_mm512_castps512_ps256(sums[0].v), _mm512_extractf32x8_ps(sums[0].v, 1)));
}

inline Vector round_to_bf16(Vector x) {
  __m512i bits = _mm512_castps_si512(x.v);
  __m512i is_odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i nearest = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), is_odd);
  __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x00400000));
  __mmask16 is_nan = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q);
  __m512 rounded =
      _mm512_castsi512_ps(_mm512_and_si512(_mm512_mask_mov_epi32(nearest, is_nan, quiet),
                                           _mm512_set1_epi32(static_cast<int>(0xffff0000))));
  // Not less, so that NaN stays.
  return {_mm512_maskz_mov_ps(
      _mm512_cmp_ps_mask(absolute({rounded}).v, _mm512_set1_ps(kBf16Zero), _CMP_NLT_UQ), rounded)};
}

// --- of the activation quantiser ---

struct IntegerSum {
  __m512i v;
  static IntegerSum zero() { return {_mm512_setzero_si512()}; }
  std::int32_t total() const { return _mm512_reduce_add_epi32(v); }
};

inline Vector larger_magnitude(Vector largest, Vector x) {
  return {_mm512_castsi512_ps(
      _mm512_max_epi32(_mm512_castps_si512(largest.v), _mm512_castps_si512(absolute(x).v)))};
}
inline std::uint32_t largest_bits(Vector magnitudes) {
  return static_cast<std::uint32_t>(_mm512_reduce_max_epi32(_mm512_castps_si512(magnitudes.v)));
}
inline void store_rounded(Vector x, std::int8_t* out, IntegerSum& sum) {
  __m512i rounded = _mm512_cvtps_epi32(x.v);
  sum.v = _mm512_add_epi32(sum.v, rounded);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(rounded));
}

static_assert(FloatVector<Vector> && EightSums<Eights, Vector>);
static_assert(QuantisingVector<Vector, IntegerSum>);

}  // namespace
}  // namespace chorus::kernels

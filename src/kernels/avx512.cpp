// The kernels for AVX-512 (F, BW, DQ, VL): 16 lanes, 32 registers. Built with those flags; run only
// where dispatch.cpp has found them.

#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/exp.h"
#include "kernels/isa_tables.h"

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
};

inline Vector operator+(Vector a, Vector b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vector operator-(Vector a, Vector b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vector operator*(Vector a, Vector b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vector operator/(Vector a, Vector b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Vector max(Vector a, Vector b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Vector absolute(Vector a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
// a < b ? x : y
inline Vector less(Vector a, Vector b, Vector x, Vector y) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), y.v, x.v)};
}
// a >= b ? x : y
inline Vector not_less(Vector a, Vector b, Vector x, Vector y) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ), y.v, x.v)};
}
// p * 2^n, where n was rounded into the low bits of `shifted`; see exp_f32.
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

inline float sum8(__m256 lanes) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float sum16(const Vector (&sums)[1]) {
  return sum8(
      _mm256_add_ps(_mm512_castps512_ps256(sums[0].v), _mm512_extractf32x8_ps(sums[0].v, 1)));
}

}  // namespace
}  // namespace chorus::kernels

#include "kernels/vector_kernels.h"

namespace chorus::kernels {
const Kernels kAvx512Kernels = table("avx512");
}  // namespace chorus::kernels

#endif

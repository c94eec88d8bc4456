// The kernels for AVX2 with FMA. Built with -mavx2 -mfma; run only where dispatch.cpp has found
// both.

#if defined(__x86_64__)

#include "kernels/vector/avx2.h"

#include "kernels/vector/table.h"

namespace chorus::kernels {
namespace {

// Products of bytes without VNNI. The instruction that multiplies bytes wants one factor unsigned
// and adds pairs in 16 bits, saturating: |weight| * +-activation is at most 2 * 128 * 127 in a
// pair, which fits.
struct Integers {
  static constexpr std::size_t kLanes = 8;
  __m256i v;

  struct Int8Weights {
    __m256i value, magnitude;
  };
  static Int8Weights load_int8(const std::uint8_t* p) {
    __m256i value = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
                                     _mm256_set1_epi8(-128));
    return {value, _mm256_abs_epi8(value)};
  }
  static __m256i load_int4(const std::uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static __m256i low_nibbles(__m256i packed) {
    return _mm256_and_si256(packed, _mm256_set1_epi8(15));
  }
  static __m256i high_nibbles(__m256i packed) {
    return _mm256_and_si256(_mm256_srli_epi16(packed, 4), _mm256_set1_epi8(15));
  }
  static Integers broadcast(std::int32_t value) { return {_mm256_set1_epi32(value)}; }
  static Integers four_bytes(const std::int8_t* p) {
    std::int32_t bytes;
    __builtin_memcpy(&bytes, p, sizeof(bytes));
    return broadcast(bytes);
  }
  // Weights of int8 are made signed first: there is no offset to be taken off.
  static Integers int8_start(std::int32_t) { return broadcast(0); }

  Integers add_int8(const Int8Weights& weights, Integers x) const {
    __m256i pairs = _mm256_maddubs_epi16(weights.magnitude, _mm256_sign_epi8(x.v, weights.value));
    return {_mm256_add_epi32(v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
  }
  Integers add_unsigned(__m256i weights, Integers x) const {  // weights up to 15
    __m256i pairs = _mm256_maddubs_epi16(weights, x.v);
    return {_mm256_add_epi32(v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
  }
  Vector to_float() const { return {_mm256_cvtepi32_ps(v)}; }
};

}  // namespace
}  // namespace chorus::kernels

#include "kernels/vector/integer_matmul.h"

namespace chorus::kernels {
const Kernels kAvx2Kernels = table("avx2", {matmul_int8, matmul_int4});
}  // namespace chorus::kernels

#endif

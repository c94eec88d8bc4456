// The integer matrix products for AVX-512 with VNNI. Built with those flags; run only where
// dispatch.cpp has found them.

#if defined(__x86_64__)

#include "kernels/vector/avx512.h"

namespace chorus::kernels {
namespace {

// vpdpbusd: four products of an unsigned weight and a signed activation, added in 32 bits. Weights
// are stored with an offset that makes them unsigned, so a group's sum starts from minus the offset
// times the sum of its activations.
struct Integers {
  static constexpr std::size_t kLanes = 16;
  __m512i v;

  static __m512i load_int8(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
  static __m512i load_int4(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
  static __m512i low_nibbles(__m512i packed) {
    return _mm512_and_si512(packed, _mm512_set1_epi8(15));
  }
  static __m512i high_nibbles(__m512i packed) {
    return _mm512_and_si512(_mm512_srli_epi16(packed, 4), _mm512_set1_epi8(15));
  }
  static Integers broadcast(std::int32_t value) { return {_mm512_set1_epi32(value)}; }
  static Integers four_bytes(const std::int8_t* p) {
    std::int32_t bytes;
    __builtin_memcpy(&bytes, p, sizeof(bytes));
    return broadcast(bytes);
  }
  static Integers int8_start(std::int32_t start) { return broadcast(start); }

  Integers add_int8(__m512i weights, Integers x) const { return add_unsigned(weights, x); }
  Integers add_unsigned(__m512i weights, Integers x) const {
    return {_mm512_dpbusd_epi32(v, weights, x.v)};
  }
  Vector to_float() const { return {_mm512_cvtepi32_ps(v)}; }
};

}  // namespace
}  // namespace chorus::kernels

#include "kernels/vector/integer_matmul.h"

namespace chorus::kernels {
const IntegerKernels kAvx512VnniKernels = {matmul_int8, matmul_int4};
}  // namespace chorus::kernels

#endif

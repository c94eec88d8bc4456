// The integer matrix products for AVX2 with AVX-VNNI, which processors without AVX-512 may have.
// Built with those flags; run only where dispatch.cpp has found them.

#if defined(__x86_64__)

#include "kernels/vector/avx2.h"

namespace chorus::kernels {
namespace {

// As in avx512_vnni.cpp, with half the lanes.
struct Integers {
  static constexpr std::size_t kLanes = 8;
  __m256i v;

  static __m256i load_int8(const std::uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static __m256i load_int4(const std::uint8_t* p) { return load_int8(p); }
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
  static Integers int8_start(std::int32_t start) { return broadcast(start); }

  Integers add_int8(__m256i weights, Integers x) const { return add_unsigned(weights, x); }
  Integers add_unsigned(__m256i weights, Integers x) const {
    return {_mm256_dpbusd_avx_epi32(v, weights, x.v)};
  }
  Vector to_float() const { return {_mm256_cvtepi32_ps(v)}; }
};

}  // namespace
}  // namespace chorus::kernels

#include "kernels/vector/integer_matmul.h"

namespace chorus::kernels {
const IntegerKernels kAvxVnniKernels = {matmul_int8, matmul_int4};
}  // namespace chorus::kernels

#endif

// bf16's own arithmetic for AVX-512 with products of bf16 pairs. Built with those flags; run only
// where dispatch.cpp has found them.

#if defined(__x86_64__)

#include "kernels/vector/avx512.h"
#include "kernels/vector/bf16_matmul.h"

namespace chorus::kernels {
namespace {

// vdpbf16ps adds to each sum the product of a pair's high half, then that of its low half, each by a
// fused multiply-add. So a pair of two inputs of the same chain, the first of them in the high half,
// is two steps of the chain in one instruction. It takes what is subnormal for zero and does not ask
// MXCSR how to round, neither of which matters here (docs/numerics.md).
struct Pairs {
  static constexpr std::size_t kInputs = 4;
  static constexpr std::size_t kGroupBytes = kGroup * sizeof(std::uint16_t);
  using Weights = __m512i;
  static constexpr bool kMakesPairs = true;

  static constexpr __mmask32 kHighHalves = 0xaaaaaaaa;
  static __m512i first(const std::uint16_t* weights) { return _mm512_loadu_si512(weights); }
  static __m512i second(const std::uint16_t* weights) {
    return _mm512_loadu_si512(weights + 2 * kPanelWidth);
  }
  static __m512i even(const std::uint16_t* weights) {
    return _mm512_mask_blend_epi16(kHighHalves, second(weights),
                                   _mm512_slli_epi32(first(weights), 16));
  }
  static __m512i odd(const std::uint16_t* weights) {
    return _mm512_mask_blend_epi16(kHighHalves, _mm512_srli_epi32(second(weights), 16),
                                   first(weights));
  }
  static void store(__m512i weights, std::uint16_t* to) { _mm512_store_si512(to, weights); }
  static __m512i load(const std::uint16_t* from) { return _mm512_load_si512(from); }
  static __m512i activation(const std::byte* x, std::size_t chain) {
    std::int32_t pair;
    __builtin_memcpy(&pair, x + chain * sizeof(pair), sizeof(pair));
    return _mm512_set1_epi32(pair);
  }
  static Vector add(Vector sum, __m512i x, __m512i weights) {
    return {_mm512_dpbf16_ps(sum.v, (__m512bh)weights, (__m512bh)x)};
  }
};

// Of every four inputs the even ones as a pair, then the odd ones, each with the first in its high
// half.
void round_bf16(const float* x, std::size_t k, std::byte* out) {
  for (std::size_t i = 0; i < group_count(k) * kGroup; i += kLanes) {
    std::size_t lanes = i >= k ? 0 : k - i < kLanes ? k - i : kLanes;
    __m512i high = _mm512_castps_si512(round_to_bf16(load_lanes(x + i, lanes)).v);
    __m512i low = _mm512_srli_epi32(_mm512_shuffle_epi32(high, _MM_PERM_DCDC), 16);
    __m512i pairs = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 0, 2, 4, 6),
                                             _mm512_or_si512(high, low));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i * sizeof(std::uint16_t)),
                        _mm512_castsi512_si256(pairs));
  }
}

}  // namespace

const Bf16Kernels kAvx512Bf16Kernels = {
    .round = round_bf16, .row_group_bytes = Pairs::kGroupBytes, .matmul = matmul_bf16<Pairs>};
}  // namespace chorus::kernels

#endif

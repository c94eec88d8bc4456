// The tables that the per-instruction-set files define, for dispatch.cpp alone.
#pragma once

#include "kernels/kernels.h"

namespace chorus::kernels {

inline constexpr std::size_t kSumExpBlock = 1024;  // elements between joins in double, see sum_exp

// The matrix products that come in more variants than the rest.
struct IntegerKernels {
  void (*int8)(const IntegerMatmulArgs& args);
  void (*int4)(const IntegerMatmulArgs& args);
};

extern const Kernels kScalarKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;  // without VNNI, so AVX2's integer products are to be put in
extern const IntegerKernels kAvxVnniKernels;
extern const IntegerKernels kAvx512VnniKernels;
extern const IntegerKernels kAvx512AmxKernels;  // for what also has VNNI
extern const Bf16Kernels kAvx512Bf16Kernels;
extern const Bf16Kernels kAvx512AmxBf16Kernels;
#endif

}  // namespace chorus::kernels

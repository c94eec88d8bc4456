// The tables that the per-instruction-set files define, for dispatch.cpp alone.
#pragma once

#include "kernels/kernels.h"

namespace chorus::kernels {

inline constexpr std::size_t kSumExpBlock = 1024;  // elements between joins in double, see sum_exp

extern const Kernels kScalarKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

}  // namespace chorus::kernels

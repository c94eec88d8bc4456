// The kernels for AVX-512 (F, BW, DQ, VL). Built with those flags; run only where dispatch.cpp has
// found them. The integer products are in avx512_vnni.cpp; processors without VNNI take AVX2's.

#if defined(__x86_64__)

#include "kernels/vector/avx512.h"

#include "kernels/vector/table.h"

namespace chorus::kernels {
const Kernels kAvx512Kernels = table("avx512", {nullptr, nullptr});
}  // namespace chorus::kernels

#endif

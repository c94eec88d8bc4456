// Which table of kernels runs: the processor's best, or the one that the environment names.

#include <cstdlib>
#include <string>

#include "kernels/isa_tables.h"

namespace chorus::kernels {

const char* isa_name(Isa isa) {
  return isa == Isa::kScalar ? "scalar" : isa == Isa::kAvx2 ? "avx2" : "avx512";
}

bool is_supported(Isa isa) {
#if defined(__x86_64__)
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::kAvx2) return avx2;
  if (isa == Isa::kAvx512) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return isa == Isa::kScalar;
}

const Kernels& kernels_for(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx2) return kAvx2Kernels;
  if (isa == Isa::kAvx512) return kAvx512Kernels;
#endif
  static_cast<void>(isa);
  return kScalarKernels;
}

Result<const Kernels*> choose_kernels() {
  constexpr Isa kBestFirst[] = {Isa::kAvx512, Isa::kAvx2, Isa::kScalar};
  const char* wanted = std::getenv("CHORUS_ISA");
  if (wanted != nullptr && *wanted != '\0') {
    for (Isa isa : kBestFirst) {
      if (std::string(wanted) != isa_name(isa)) continue;
      if (is_supported(isa)) return &kernels_for(isa);
      return Error{ErrorCode::kUnsupported,
                   std::string("CHORUS_ISA=") + wanted + ": this processor does not have it"};
    }
    return Error{ErrorCode::kInvalidArgument,
                 std::string("CHORUS_ISA=") + wanted + ": expected scalar, avx2 or avx512"};
  }
  for (Isa isa : kBestFirst) {
    if (is_supported(isa)) return &kernels_for(isa);
  }
  return &kScalarKernels;
}

}  // namespace chorus::kernels

// Which table of kernels runs: the processor's best, or the one that the environment names.

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <bit>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "kernels/amx.h"
#include "kernels/isa_tables.h"

namespace chorus::kernels {

namespace {

#if defined(__x86_64__)
// CPUID leaf 7, subleaf 1: the compiler's own function does not know this name everywhere. That the
// operating system keeps the registers is what AVX2 has been asked for.
bool has_avx_vnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1u) != 0;
}

Kernels with_integers(Kernels kernels, const IntegerKernels& integers) {
  kernels.matmul.int8 = integers.int8;
  kernels.matmul.int4 = integers.int4;
  return kernels;
}

Kernels with_bf16(Kernels kernels, const Bf16Kernels& bf16) {
  kernels.matmul.bf16 = bf16;
  return kernels;
}

// What the instruction for pairs of bf16 does no standard says, so that a processor is asked: sums
// of numbers of many sizes depend on the order in which they were made.
bool multiplies_pairs_as_defined() {
  constexpr std::size_t kGroups = 4, kInputs = kGroups * kGroup;
  std::uint32_t state = 1;
  auto next = [&state] { return state = state * 1664525u + 1013904223u; };
  // From 2^-8 to 2^8, of either sign.
  auto number = [&next] { return (next() & 0x8000ffffu) + (119u + (next() >> 28)) * 0x800000u; };
  float x[kInputs];
  std::uint16_t weights[kInputs * kPanelWidth];
  for (float& value : x) value = std::bit_cast<float>(number());
  for (std::uint16_t& weight : weights) weight = static_cast<std::uint16_t>(number() >> 16);
  auto product = [&](const Bf16Kernels& kernels, float(&out)[kPanelWidth]) {
    alignas(64) std::byte rounded[kInputs * sizeof(float)];
    kernels.round(x, kInputs, rounded);
    kernels.matmul({.x = rounded,
                    .x_stride = sizeof(rounded),
                    .rows = 1,
                    .groups = kGroups,
                    .weights = weights,
                    .panels = 1,
                    .bias = nullptr,
                    .out = out,
                    .out_stride = kPanelWidth});
  };
  float expected[kPanelWidth], found[kPanelWidth];
  product(kScalarKernels.matmul.bf16, expected);
  product(kAvx512Bf16Kernels, found);
  return std::memcmp(expected, found, sizeof(expected)) == 0;
}
#endif

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool is_for_amx(const Kernels& kernels) {
  return kernels.name == std::string_view(isa_name(Isa::kAvx512));
}

Result<Isa> choose_isa() {
  constexpr Isa kBestFirst[] = {Isa::kAvx512, Isa::kAvx2, Isa::kScalar};
  std::string wanted = environment("CHORUS_ISA");
  for (Isa isa : kBestFirst) {
    if (!wanted.empty() && wanted != isa_name(isa)) continue;
    if (is_supported(isa)) return isa;
    if (wanted.empty()) continue;
    return Error{ErrorCode::kUnsupported,
                 "CHORUS_ISA=" + wanted + ": this processor does not have it"};
  }
  return Error{ErrorCode::kInvalidArgument,
               "CHORUS_ISA=" + wanted + ": expected scalar, avx2 or avx512"};
}

}  // namespace

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

bool has_vnni(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return is_supported(isa) && __builtin_cpu_supports("avx512vnni");
  if (isa == Isa::kAvx2) return is_supported(isa) && has_avx_vnni();
#endif
  return false;
}

// Intel's processors multiply pairs at half the rate of widened numbers.
bool has_bf16_pairs(Isa isa) {
#if defined(__x86_64__)
  static const bool fast = is_supported(Isa::kAvx512) && __builtin_cpu_supports("avx512bf16") &&
                           __builtin_cpu_is("amd") && multiplies_pairs_as_defined();
  return isa == Isa::kAvx512 && fast;
#endif
  static_cast<void>(isa);
  return false;
}

const Bf16Kernels& bf16_kernels_for(Isa isa, bool pairs) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx2) return kAvx2Kernels.matmul.bf16;
  if (isa == Isa::kAvx512) return pairs ? kAvx512Bf16Kernels : kAvx512Kernels.matmul.bf16;
#endif
  static_cast<void>(isa);
  static_cast<void>(pairs);
  return kScalarKernels.matmul.bf16;
}

const Kernels& kernels_for(Isa isa) { return kernels_for(isa, has_vnni(isa)); }

const Kernels& kernels_for(Isa isa, bool vnni) {
#if defined(__x86_64__)
  static const Kernels avx2_vnni = with_integers(kAvx2Kernels, kAvxVnniKernels);
  static const Kernels best_avx512 =
      with_bf16(kAvx512Kernels, bf16_kernels_for(Isa::kAvx512, has_bf16_pairs(Isa::kAvx512)));
  static const Kernels avx512_vnni = with_integers(best_avx512, kAvx512VnniKernels);
  static const Kernels avx512 =
      with_integers(best_avx512, {kAvx2Kernels.matmul.int8, kAvx2Kernels.matmul.int4});
  if (isa == Isa::kAvx2) return vnni ? avx2_vnni : kAvx2Kernels;
  if (isa == Isa::kAvx512) return vnni ? avx512_vnni : avx512;
#endif
  static_cast<void>(isa);
  static_cast<void>(vnni);
  return kScalarKernels;
}

const Kernels& kernels_with_amx() {
#if defined(__x86_64__)
  static const Kernels integers = [] {
    Kernels kernels = with_integers(kernels_for(Isa::kAvx512), kAvx512AmxKernels);
    kernels.amx = true;
    return kernels;
  }();
  static const Kernels both = [] {
    Kernels kernels = with_bf16(integers, kAvx512AmxBf16Kernels);
    kernels.amx_bf16 = true;
    return kernels;
  }();
  return amx().bf16 ? both : integers;
#else
  return kScalarKernels;
#endif
}

Result<const Kernels*> choose_kernels() {
  CHORUS_TRY(Isa isa, choose_isa());
  std::string wanted = environment("CHORUS_AMX");
  if (wanted != "" && wanted != "0" && wanted != "1") {
    return Error{ErrorCode::kInvalidArgument, "CHORUS_AMX=" + wanted + ": expected 0 or 1"};
  }
  bool possible = isa == Isa::kAvx512 && wanted != "0" && amx().int8;
  if (possible) return &kernels_with_amx();
  if (wanted == "1") {
    bool refused = isa == Isa::kAvx512 || !is_supported(Isa::kAvx512);
    return Error{ErrorCode::kUnsupported,
                 "CHORUS_AMX=1: " + (refused ? amx().missing
                                             : "AMX is part of avx512, and CHORUS_ISA=" +
                                                   environment("CHORUS_ISA") + " was asked for")};
  }
  return &kernels_for(isa);
}

std::string amx_missing(const Kernels& chosen) {
  if (chosen.amx) return "";
  if (!is_for_amx(chosen)) return "it is part of avx512";
  return environment("CHORUS_AMX") == "0" ? "CHORUS_AMX=0" : amx().missing;
}

std::string amx_note(const Kernels& chosen) {
  bool is_wanted = is_for_amx(chosen) && !chosen.amx && environment("CHORUS_AMX") != "0";
  if (!is_wanted || !amx().is_surprising) return "";
  return "AMX is not used: " + amx().missing + " (CHORUS_AMX=0 leaves it alone)";
}

}  // namespace chorus::kernels

#include "limits/programs.h"

#include <cstdint>
#include <cstring>
#include <string>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels/amx.h"
#include "kernels/kernels.h"

namespace chorus::limits {
namespace {

constexpr std::size_t kStreams = 4;  // read side by side: one alone may not fill memory's queues
constexpr std::size_t kBlock = kReadTurn / kStreams;  // floats of a stream in one turn
constexpr std::size_t kChains = 12;    // of additions, independent: more than latency * 2 ports
constexpr std::size_t kFewChains = 8;  // where the compiler copies some and has but 16 registers
// Chains that began alike would be one chain to the compiler.
constexpr float kStart[kChains] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

float read_scalar(const float* x, std::size_t count) {
  std::uint32_t sums[16] = {};  // integers: the baseline's compiler may make vector code of them
  std::uint32_t bits[16];
  for (std::size_t i = 0; i < count; i += 16) {
    std::memcpy(bits, x + i, sizeof(bits));
    for (std::size_t j = 0; j < 16; ++j) sums[j] |= bits[j];
  }
  std::uint32_t all = 0;
  for (std::uint32_t sum : sums) all |= sum;
  return static_cast<float>(all);
}

// Without an instruction for it: a multiplication and an addition, four lanes at a time.
float multiply_add_scalar() {
  float sums[kChains][4];
  for (std::size_t i = 0; i < kChains; ++i) {
    for (float& lane : sums[i]) lane = kStart[i];
  }
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
    for (auto& sum : sums) {
      for (float& lane : sum) lane = lane * 0.999f + 0.5f;
    }
  }
  float all = 0.0f;
  for (auto& sum : sums) all += sum[0] + sum[1] + sum[2] + sum[3];
  return all;
}

// Multiplications and additions of integers, one at a time for all that the source says.
float dot_scalar() {
  std::int32_t sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i) sums[i] = static_cast<std::int32_t>(kStart[i]);
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
    for (std::int32_t& sum : sums) sum = (sum & 127) * 3 + 5;
  }
  std::int32_t all = 0;
  for (std::int32_t sum : sums) all ^= sum;
  return static_cast<float>(all);
}

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) float read_avx2(const float* x, std::size_t count) {
  __m256i sums[kStreams] = {};
  std::size_t stream = count / kStreams;
  for (std::size_t i = 0; i < stream; i += kBlock) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      for (std::size_t j = 0; j < kBlock; j += 8) {
        auto at = reinterpret_cast<const __m256i*>(x + s * stream + i + j);
        sums[s] = _mm256_or_si256(sums[s], _mm256_load_si256(at));
      }
    }
  }
  __m256i all = sums[0];
  for (std::size_t s = 1; s < kStreams; ++s) all = _mm256_or_si256(all, sums[s]);
  return static_cast<float>(_mm256_extract_epi32(all, 0));
}

__attribute__((target("avx2,fma"))) float multiply_add_avx2() {
  __m256 sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm256_set1_ps(kStart[i]);
  __m256 factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(0.5f);
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], factor, term);
  }
  for (std::size_t i = 1; i < kChains; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return _mm256_cvtss_f32(sums[0]);
}

__attribute__((target("avx512f"))) float read_avx512(const float* x, std::size_t count) {
  __m512i sums[kStreams] = {};
  std::size_t stream = count / kStreams;
  for (std::size_t i = 0; i < stream; i += kBlock) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      for (std::size_t j = 0; j < kBlock; j += 16) {
        sums[s] = _mm512_or_si512(sums[s], _mm512_load_si512(x + s * stream + i + j));
      }
    }
  }
  __m512i all = sums[0];
  for (std::size_t s = 1; s < kStreams; ++s) all = _mm512_or_si512(all, sums[s]);
  return static_cast<float>(_mm512_cvtsi512_si32(all));
}

__attribute__((target("avx512f"))) float multiply_add_avx512() {
  __m512 sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(kStart[i]);
  __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(0.5f);
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], factor, term);
  }
  for (std::size_t i = 1; i < kChains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_cvtss_f32(sums[0]);
}

// The product of unsigned and signed bytes, summed in pairs and again in pairs. The factors change
// with each turn, since a product of constants would be made once.
__attribute__((target("avx2,fma"))) float dot_avx2() {
  __m256i sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i)
    sums[i] = _mm256_set1_epi32(static_cast<int>(kStart[i]));
  __m256i weights = _mm256_set1_epi8(3), ones = _mm256_set1_epi16(1);
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (std::size_t i = 0; i < kChains; ++i) {
      __m256i pairs = _mm256_maddubs_epi16(weights, sums[i]);
      sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs, ones));
    }
  }
  for (std::size_t i = 1; i < kChains; ++i) sums[0] = _mm256_xor_si256(sums[0], sums[i]);
  return static_cast<float>(_mm256_extract_epi32(sums[0], 0));
}

__attribute__((target("avx2,fma,avxvnni"))) float dot_avx_vnni() {
  __m256i sums[kFewChains];
  for (std::size_t i = 0; i < kFewChains; ++i) {
    sums[i] = _mm256_set1_epi32(static_cast<int>(kStart[i]));
  }
  __m256i weights = _mm256_set1_epi8(3), activations = _mm256_set1_epi8(5);
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kFewChains; ++i) {
      sums[i] = _mm256_dpbusd_avx_epi32(sums[i], weights, activations);
    }
    asm volatile("" : "+x"(activations));  // as below
  }
  for (std::size_t i = 1; i < kFewChains; ++i) sums[0] = _mm256_xor_si256(sums[0], sums[i]);
  return static_cast<float>(_mm256_extract_epi32(sums[0], 0));
}

__attribute__((target("avx512f,avx512vnni"))) float dot_avx512_vnni() {
  __m512i sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i)
    sums[i] = _mm512_set1_epi32(static_cast<int>(kStart[i]));
  __m512i weights = _mm512_set1_epi8(3), activations = _mm512_set1_epi8(5);
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (std::size_t i = 0; i < kChains; ++i) {
      sums[i] = _mm512_dpbusd_epi32(sums[i], weights, activations);
    }
    // Or the compiler would add the same product kTurns times at once.
    asm volatile("" : "+v"(activations));
  }
  for (std::size_t i = 1; i < kChains; ++i) sums[0] = _mm512_xor_si512(sums[0], sums[i]);
  return static_cast<float>(_mm512_cvtsi512_si32(sums[0]));
}

// Each turn multiplies two tiles by two others, which keeps four chains of additions going: a product
// takes 16 cycles, its result 52.
#define CHORUS_TILE_LOOP(product)                                                                 \
  asm volatile(                                                                                   \
      "ldtilecfg %[config]\n"                                                                     \
      "tilezero %%tmm0\n tilezero %%tmm1\n tilezero %%tmm2\n tilezero %%tmm3\n"                   \
      "tileloadd (%[a],%[stride],1), %%tmm4\n tileloadd (%[a],%[stride],1), %%tmm5\n"             \
      "tileloadd (%[b],%[stride],1), %%tmm6\n tileloadd (%[b],%[stride],1), %%tmm7\n"             \
      "1:\n" product " %%tmm6, %%tmm4, %%tmm0\n" product " %%tmm7, %%tmm4, %%tmm1\n" product      \
      " %%tmm6, %%tmm5, %%tmm2\n" product                                                         \
      " %%tmm7, %%tmm5, %%tmm3\n"                                                                 \
      "dec %[turns]\n jnz 1b\n"                                                                   \
      "tilestored %%tmm0, (%[out0],%[stride],1)\n tilestored %%tmm1, (%[out1],%[stride],1)\n"     \
      "tilestored %%tmm2, (%[out2],%[stride],1)\n tilestored %%tmm3, (%[out3],%[stride],1)\n"     \
      "tilerelease"                                                                               \
      : [turns] "+r"(turns)                                                                       \
      : [config] "m"(tiles.config), [a] "r"(tiles.a), [b] "r"(tiles.b), [out0] "r"(tiles.out[0]), \
        [out1] "r"(tiles.out[1]), [out2] "r"(tiles.out[2]), [out3] "r"(tiles.out[3]),             \
        [stride] "r"(kTileRowBytes)                                                               \
      : "memory", "cc")

constexpr std::size_t kTileRows = 16, kTileRowBytes = 64;

// Eight tiles of full size, all of whose elements are alike.
struct alignas(64) Tiles {
  std::uint8_t config[64] = {1};  // the palette
  std::uint8_t a[kTileRows][kTileRowBytes], b[kTileRows][kTileRowBytes];
  std::uint8_t out[4][kTileRows][kTileRowBytes];

  template <class Element>
  Tiles(Element a_element, Element b_element) {
    for (std::size_t tile = 0; tile < 8; ++tile) {
      config[16 + 2 * tile] = kTileRowBytes;
      config[48 + tile] = kTileRows;
    }
    for (std::size_t i = 0; i < sizeof(a); i += sizeof(Element)) {
      std::memcpy(a[0] + i, &a_element, sizeof(Element));
      std::memcpy(b[0] + i, &b_element, sizeof(Element));
    }
  }
  // The last elements, which no smaller tile would have reached.
  template <class Sum>
  float sum() const {
    float all = 0.0f;
    for (const auto& tile : out) {
      Sum last;
      std::memcpy(&last, tile[kTileRows - 1] + kTileRowBytes - sizeof(Sum), sizeof(Sum));
      all += static_cast<float>(last);
    }
    return all;
  }
};

float amx_int8(std::size_t turns) {
  Tiles tiles(std::int8_t{3}, std::int8_t{5});
  CHORUS_TILE_LOOP("tdpbssd");
  return tiles.sum<std::int32_t>();
}

float amx_bf16(std::size_t turns) {
  Tiles tiles(std::uint16_t{0x3f80}, std::uint16_t{0x3f00});  // 1 and 0.5
  CHORUS_TILE_LOOP("tdpbf16ps");
  return tiles.sum<float>();
}

__attribute__((target("avx512f,avx512bf16"))) float multiply_pairs_avx512() {
  __m512 sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(kStart[i]);
  __m512i ones = _mm512_set1_epi16(0x3f80), halves = _mm512_set1_epi16(0x3f00);
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
#pragma GCC unroll 12
    for (std::size_t i = 0; i < kChains; ++i) {
      sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)ones, (__m512bh)halves);
    }
    asm volatile("" : "+v"(halves));  // as above
  }
  for (std::size_t i = 1; i < kChains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_cvtss_f32(sums[0]);
}

#endif

constexpr double kAdditions = static_cast<double>(kTurns * kChains);

}  // namespace

Programs programs_for(std::string_view instructions) {
#if defined(__x86_64__)
  if (instructions == "avx512") {
    bool vnni = kernels::has_vnni(kernels::Isa::kAvx512);
    bool pairs = kernels::has_bf16_pairs(kernels::Isa::kAvx512);
    return {.read = read_avx512,
            .multiply_add = multiply_add_avx512,
            .multiply_add_operations = kAdditions * 16 * 2,
            .multiply_pairs = pairs ? multiply_pairs_avx512 : nullptr,
            .multiply_pairs_operations = kAdditions * 32 * 2,
            .dot = vnni ? dot_avx512_vnni : dot_avx2,
            .dot_operations = kAdditions * (vnni ? 64 : 32) * 2};
  }
  if (instructions == "avx2") {
    bool vnni = kernels::has_vnni(kernels::Isa::kAvx2);
    return {.read = read_avx2,
            .multiply_add = multiply_add_avx2,
            .multiply_add_operations = kAdditions * 8 * 2,
            .dot = vnni ? dot_avx_vnni : dot_avx2,
            .dot_operations = static_cast<double>(kTurns * (vnni ? kFewChains : kChains)) * 32 * 2};
  }
#endif
  static_cast<void>(instructions);
  return {.read = read_scalar,
          .multiply_add = multiply_add_scalar,
          .multiply_add_operations = kAdditions * 4 * 2,
          .dot = dot_scalar,
          .dot_operations = kAdditions * 2};
}

Result<AmxPrograms> amx_programs_for(std::string_view instructions) {
  auto chosen = kernels::choose_kernels();
  if (!chosen) return chosen.assume_error();
  const kernels::Kernels& best = *chosen.assume_value();
#if defined(__x86_64__)
  if (best.amx && best.name == instructions) {
    return AmxPrograms{.int8 = amx_int8, .bf16 = kernels::amx().bf16 ? amx_bf16 : nullptr};
  }
#endif
  std::string missing = best.name == instructions ? kernels::amx_missing(best) : "";
  return Error{ErrorCode::kUnsupported, missing.empty() ? "it is part of avx512" : missing};
}

Arithmetic arithmetic_for(std::string_view instructions, NumberFormat weights) {
  Programs vectors = programs_for(instructions);
  auto amx = amx_programs_for(instructions);
  auto tiles = [](float (*program)(std::size_t turns), double operations) {
    return Arithmetic{[program] { return program(kTurns); },
                      operations * static_cast<double>(kTurns)};
  };
  if (is_quantised(weights)) {
    if (amx) return tiles(amx.assume_value().int8, kAmxInt8Operations);
    return {vectors.dot, vectors.dot_operations};
  }
  if (weights == NumberFormat::kBf16) {
    if (amx && amx.assume_value().bf16 != nullptr) {
      return tiles(amx.assume_value().bf16, kAmxBf16Operations);
    }
    if (vectors.multiply_pairs != nullptr) {
      return {vectors.multiply_pairs, vectors.multiply_pairs_operations};
    }
  }
  return {vectors.multiply_add, vectors.multiply_add_operations};
}

}  // namespace chorus::limits

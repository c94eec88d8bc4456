#include "kernels/amx.h"

#include <atomic>

#include "kernels/isa_tables.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <vector>
#endif

namespace chorus::kernels {
namespace {

std::atomic<const Amx*> pretended = nullptr;

#if defined(__x86_64__) && defined(__linux__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

// Names and bits as in Intel's manual, volume 2, CPUID.
bool has_tiles(const Registers& features) {
  constexpr unsigned kTile = 1u << 24;
  if ((features.edx & kTile) == 0) return false;
  // The only palette that there is: eight tiles of 16 rows of 64 bytes.
  Registers palette = cpuid(0x1d, 1);
  return palette.ebx >> 16 >= 8 && (palette.ebx & 0xffff) >= 64 && (palette.ecx & 0xffff) >= 16;
}
bool has_int8(const Registers& features) { return (features.edx >> 25 & 1u) != 0; }
bool has_bf16(const Registers& features) { return (features.edx >> 22 & 1u) != 0; }

// Whether the system saves and restores both the tiles and their configuration.
bool system_keeps_tiles() {
  constexpr unsigned kOsxsave = 1u << 27, kTileState = 3u << 17;
  if ((cpuid(1, 0).ecx & kOsxsave) == 0) return false;
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileState) == kTileState;
}

bool ask_permission() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

Amx find_amx() {
  Registers features = cpuid(7, 0);
  if (!is_supported(Isa::kAvx512) || !has_vnni(Isa::kAvx512) || !has_tiles(features) ||
      !has_int8(features)) {
    return {.missing = "this processor does not have it"};
  }
  if (!system_keeps_tiles()) {
    return {.missing = "this system does not let programs use it", .is_surprising = true};
  }
  if (!ask_permission()) {
    // Linux's one reason that is the program's own.
    std::string why = errno == ENOSPC
                          ? "a thread's alternate signal stack is too small for its registers"
                          : std::generic_category().message(errno);
    return {.missing = "the system refused its use (" + why + ")", .is_surprising = true};
  }
  if (!amx_products_agree(has_bf16(features))) {
    return {.missing = "its products are wrong on this machine, or on what emulates it",
            .is_surprising = true};
  }
  return {.int8 = true, .bf16 = has_bf16(features), .missing = "", .is_surprising = false};
}

// Any bytes do; a generator of our own, so that they are the same everywhere.
class Bytes {
 public:
  std::uint32_t next() { return (state_ = state_ * 1664525u + 1013904223u) >> 24; }

 private:
  std::uint32_t state_ = 1;
};

struct IntegerExample {
  static constexpr std::size_t kRows = 25, kGroups = 4, kPanels = 2,
                               kStride = kPanels * kPanelWidth;
  std::vector<ActivationGroup> x{kRows * kGroups};
  std::vector<std::uint8_t> weights =
      std::vector<std::uint8_t>(kPanels * kGroups * kInt8GroupBytes);
  std::vector<std::uint16_t> scales = std::vector<std::uint16_t>(kPanels * kGroups * kPanelWidth);

  explicit IntegerExample(std::int32_t offset) {
    Bytes bytes;
    for (auto& weight : weights) weight = static_cast<std::uint8_t>(bytes.next());
    for (auto& scale : scales) scale = static_cast<std::uint16_t>(0x3c00 + bytes.next());
    for (ActivationGroup& group : x) {
      std::int32_t sum = 0;
      for (std::int8_t& value : group.values) {
        value = static_cast<std::int8_t>(static_cast<int>(bytes.next()) % 255 - 127);
        sum += value;
      }
      group.scale = 0.01f * static_cast<float>(1 + bytes.next());
      group.start = -offset * sum;
    }
  }

  std::vector<float> multiply(void (*kernel)(const IntegerMatmulArgs&)) const {
    std::vector<float> out(kRows * kStride);
    kernel({.x = x.data(),
            .rows = kRows,
            .groups = kGroups,
            .weights = weights.data(),
            .scales = scales.data(),
            .panels = kPanels,
            .bias = nullptr,
            .row_factor = nullptr,
            .out = out.data(),
            .out_stride = kStride});
    return out;
  }
};

// Two tiles of rows and a rest, slices of K, an odd panel: every way that the kernel has. Numbers
// from 2^-8 to 2^8, whose sums depend on the order in which they are made.
struct Bf16Example {
  static constexpr std::size_t kRows = 73, kGroups = 10, kInputs = kGroups * kGroup, kPanels = 3,
                               kStride = kPanels * kPanelWidth;
  std::vector<float> x = std::vector<float>(kRows * kInputs), bias = std::vector<float>(kStride);
  std::vector<std::uint16_t> weights =
      std::vector<std::uint16_t>(kPanels * bf16_panel_size(kGroups));

  Bf16Example() {
    Bytes bytes;
    auto number = [&bytes] {
      std::uint32_t sign = bytes.next() >> 7 << 31, exponent = 119 + (bytes.next() >> 4);
      std::uint32_t mantissa = bytes.next() << 15;
      return sign | exponent << 23 | mantissa | bytes.next() << 7;
    };
    for (float& value : x) value = std::bit_cast<float>(number());
    for (float& value : bias) value = std::bit_cast<float>(number());
    for (auto& weight : weights) weight = static_cast<std::uint16_t>(number() >> 16);
  }

  std::vector<float> multiply(const Bf16Kernels& kernels) const {
    std::size_t row_bytes = kernels.row_bytes(kGroups);
    std::vector<std::byte> rounded(kRows * row_bytes);
    for (std::size_t r = 0; r < kRows; ++r) {
      kernels.round(x.data() + r * kInputs, kInputs, rounded.data() + r * row_bytes);
    }
    std::vector<float> out(kRows * kStride);
    kernels.matmul({.x = rounded.data(),
                    .x_stride = row_bytes,
                    .rows = kRows,
                    .groups = kGroups,
                    .weights = weights.data(),
                    .panels = kPanels,
                    .bias = bias.data(),
                    .out = out.data(),
                    .out_stride = kStride});
    return out;
  }
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

#else

Amx find_amx() { return {.missing = "only Linux on x86-64 has it here"}; }

#endif

}  // namespace

const Amx& amx() {
  if (const Amx* answer = pretended.load()) return *answer;
  static const Amx found = find_amx();
  return found;
}

void pretend_amx(const Amx* answer) { pretended = answer; }

bool amx_products_agree([[maybe_unused]] bool bf16) {
#if defined(__x86_64__) && defined(__linux__)
  auto agree = [](const IntegerExample& example, auto kernel) {
    return same_bits(example.multiply(kAvx512AmxKernels.*kernel),
                     example.multiply(kAvx512VnniKernels.*kernel));
  };
  auto bf16_agrees = [](const Bf16Example& example) {
    return same_bits(example.multiply(kAvx512AmxBf16Kernels),
                     example.multiply(kAvx512Kernels.matmul.bf16));
  };
  return agree(IntegerExample(kInt8Offset), &IntegerKernels::int8) &&
         agree(IntegerExample(kInt4Offset), &IntegerKernels::int4) &&
         (!bf16 || bf16_agrees(Bf16Example()));
#else
  return false;
#endif
}

}  // namespace chorus::kernels

// AMX's instructions, one by one, for the kernels that are made of tiles. Written in assembler, because
// GCC 12's functions for them do not tell the compiler which memory they read; the assembler of Debian
// 12 knows them all, so no bytes are written out. Included by the files that are built for AVX-512,
// which run only where kernels/amx.h has found AMX.
//
// None of this has run on hardware yet. What was verified, and how:
//  - encodings, forms of address, and that a product reads and writes the tiles it names: the tests run
//    every kernel with the bytes that the assembler made, decoded and done by
//    tests/support/amx_emulator.h, which was written after volume 2 of Intel's manual and refuses what
//    the manual says is refused (configurations, shapes, tiles under two names, start rows);
//  - the same by an emulator of processors that is not ours, under Linux (docs/numerics.md);
//  - TDPBF16PS's rounding: over 16 million results of a processor (docs/numerics.md);
//  - by reading: a statement that touches memory says so ("memory", or the operand itself), so the
//    compiler has stored what a tile loads and reloads what one stores; the statements are volatile,
//    so they stay in the order of the source, which is all that tiles ask, since the compiler knows none
//    of their registers; none moves the stack pointer, so the red zone is safe;
//  - by reading Linux's arch/x86/kernel/fpu, and by tests/kernels/amx_system_test.cpp: a thread switch, a
//    signal and a fork keep the tiles of a process that has the permission; the configuration is a
//    thread's own, so every call of a kernel makes it and releases it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/panels.h"

namespace chorus::kernels {
namespace {

// --- instructions: tiles have numbers, not types ---

template <int kTile>
[[gnu::always_inline]] inline void tile_zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
// Rows that lie `stride` bytes apart; with a stride of 0 all are the first.
template <int kTile>
[[gnu::always_inline]] inline void tile_load(const void* first_row, std::size_t stride) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(kTile), "r"(first_row), "r"(stride)
               : "memory");
}
template <int kTile>
[[gnu::always_inline]] inline void tile_store(void* first_row, std::size_t stride) {
  asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(kTile), "r"(first_row), "r"(stride)
               : "memory");
}
// sums[m][n] += sum over k of signed[m][k] * unsigned[n][k], in 32 bits.
template <int kSums, int kSigned, int kUnsigned>
[[gnu::always_inline]] inline void tile_multiply() {
  asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kSigned), "i"(kUnsigned));
}
// sums[m][n] += the two chains over x[m][k] * weights[n][k] of bf16, as docs/numerics.md has them.
template <int kSums, int kX, int kWeights>
[[gnu::always_inline]] inline void tile_multiply_bf16() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSums), "i"(kX), "i"(kWeights));
}

constexpr std::size_t kTileRows = 16;
constexpr std::size_t kTileRowBytes = 64;
constexpr std::size_t kTileOutputs = 16;

// What ldtilecfg reads: the shapes of eight tiles, the rest zero.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  void set(int tile, std::size_t row_count, std::size_t bytes) {
    rows[tile] = static_cast<std::uint8_t>(row_count);
    row_bytes[tile] = static_cast<std::uint16_t>(bytes);
  }
  // All tiles are zero then.
  void load() const { asm volatile("ldtilecfg %0" ::"m"(*this)); }
};
static_assert(sizeof(TileConfig) == 64 && offsetof(TileConfig, row_bytes) == 16 &&
              offsetof(TileConfig, rows) == 48);

inline void release_tiles() { asm volatile("tilerelease"); }

}  // namespace
}  // namespace chorus::kernels

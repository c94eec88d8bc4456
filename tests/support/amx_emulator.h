// AMX's instructions in software, for processors without them: a handler of SIGILL reads the
// instruction, does it on tiles that each thread has of its own, and goes on behind it. It refuses
// what the processor would refuse, so that a kernel with a wrong configuration dies as it would
// there; memory is read and written by plain C++, so that the sanitizers see a kernel's accesses.
// It takes about a microsecond for each instruction, and is in no way a measure of speed.
//
// Known are ldtilecfg, sttilecfg, tilerelease, tilezero, tileloadd, tileloaddt1, tilestored, the four
// products of bytes and tdpbf16ps, as volume 2 of Intel's manual has them, with any general register
// and any form of address that they can have without a segment or a 32-bit prefix.
#pragma once

#if defined(__x86_64__) && defined(__linux__)

#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/amx.h"
#include "kernels/kernels.h"

namespace chorus::test {

struct TileState {
  static constexpr std::size_t kTiles = 8, kMaxRows = 16, kMaxRowBytes = 64;
  struct Tile {
    std::size_t rows, row_bytes;  // both 0: not in the configuration
    std::uint8_t data[kMaxRows][kMaxRowBytes];
  };
  bool is_configured;
  std::uint8_t start_row;
  Tile tiles[kTiles];
};

// General registers by their numbers in instructions: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8...
using GeneralRegisters = std::uint64_t[16];

class TileInstruction {
 public:
  // What has happened to the instruction at `code`.
  struct Outcome {
    std::size_t length = 0;       // bytes of the instruction; 0 if it is none of AMX's
    const char* fault = nullptr;  // why a processor would not do it; nothing has changed then
    bool is_product = false;
  };

  static Outcome run(const std::uint8_t* code, const GeneralRegisters& registers,
                     TileState& state) {
    TileInstruction instruction(code, registers, state);
    if (!instruction.decode()) return {};
    const char* fault = instruction.execute();
    return {instruction.length_, fault, instruction.is_product_};
  }

 private:
  using Tile = TileState::Tile;
  enum Prefix { kNone, k66, kF3, kF2 };

  TileInstruction(const std::uint8_t* code, const GeneralRegisters& registers, TileState& state)
      : code_(code), registers_(registers), state_(state) {}

  // VEX in three bytes, map 0F38: C4, RXBmmmmm, WvvvvLpp, opcode, ModRM, SIB, displacement. R, X, B
  // and vvvv are stored inverted.
  bool decode() {
    if (code_[0] != 0xc4 || (code_[1] & 0x1f) != 2) return false;
    opcode_ = code_[3];
    if (opcode_ != 0x49 && opcode_ != 0x4b && opcode_ != 0x5c && opcode_ != 0x5e) return false;
    high_reg_ = (code_[1] & 0x80) == 0;
    high_index_ = (code_[1] & 0x40) == 0;
    high_base_ = (code_[1] & 0x20) == 0;
    third_ = ~(code_[2] >> 3) & 15u;
    is_wide_ = (code_[2] & 0x84) != 0;  // W or L
    prefix_ = static_cast<Prefix>(code_[2] & 3);
    mod_ = code_[4] >> 6;
    reg_ = code_[4] >> 3 & 7u;
    rm_ = code_[4] & 7u;
    length_ = 5;
    if (mod_ != 3) decode_address();
    return true;
  }

  void decode_address() {
    bool has_base = true;
    unsigned base = rm_;
    if (rm_ == 4) {
      std::uint8_t sib = code_[length_++];
      has_sib_ = true;
      base = sib & 7u;
      unsigned index = (sib >> 3 & 7u) + (high_index_ ? 8 : 0);
      if (index != 4) scaled_index_ = registers_[index] << (sib >> 6);
    }
    unsigned displacement_bytes = mod_ == 1 ? 1 : mod_ == 2 ? 4 : 0;
    bool is_relative = false;  // to the next instruction
    if (mod_ == 0 && base == 5) {
      displacement_bytes = 4;
      has_base = false;
      is_relative = !has_sib_;
    }
    std::int64_t displacement = 0;
    if (displacement_bytes == 1) displacement = static_cast<std::int8_t>(code_[length_]);
    if (displacement_bytes == 4) {
      std::int32_t four;
      std::memcpy(&four, code_ + length_, sizeof(four));
      displacement = four;
    }
    length_ += displacement_bytes;
    base_ = static_cast<std::uint64_t>(displacement);
    if (has_base) base_ += registers_[base + (high_base_ ? 8 : 0)];
    if (is_relative) base_ += reinterpret_cast<std::uintptr_t>(code_ + length_);
  }

  const char* execute() {
    if (is_wide_) return "W or L is set";
    if (opcode_ == 0x5c || opcode_ == 0x5e) return multiply();
    if (third_ != 0) return "vvvv is set";
    return opcode_ == 0x49 ? configure_or_zero() : move();
  }

  const char* configure_or_zero() {
    if (mod_ == 3) {
      if (prefix_ == kNone && reg_ == 0 && rm_ == 0) {
        state_ = {};
        return nullptr;
      }
      if (prefix_ != kF2 || rm_ != 0) return "not an instruction";
      Tile* tile = tile_of(reg_, high_reg_);
      if (tile == nullptr) return kNotConfigured;
      std::memset(tile->data, 0, sizeof(tile->data));
      return nullptr;
    }
    if (reg_ != 0) return "not an instruction";
    auto* memory = reinterpret_cast<std::uint8_t*>(base_ + scaled_index_);
    if (prefix_ == kNone) return load_configuration(memory);
    if (prefix_ == k66) return store_configuration(memory);
    return "not an instruction";
  }

  const char* load_configuration(const std::uint8_t* memory) {
    std::uint8_t bytes[64];
    std::memcpy(bytes, memory, sizeof(bytes));
    if (bytes[0] > 1) return "there is no such palette";
    TileState next = {};
    if (bytes[0] == 1) {
      next.is_configured = true;
      next.start_row = bytes[1];
      for (std::size_t i = 2; i < 64; ++i) {
        bool is_reserved = i < 16 || (i >= 32 && i < 48) || i >= 56;
        if (is_reserved && bytes[i] != 0) return "a reserved byte of the configuration is set";
      }
      for (std::size_t t = 0; t < TileState::kTiles; ++t) {
        std::size_t rows = bytes[48 + t], row_bytes = bytes[16 + 2 * t] + bytes[17 + 2 * t] * 256u;
        if (rows > TileState::kMaxRows) return "a tile of more than 16 rows";
        if (row_bytes > TileState::kMaxRowBytes) return "a tile's row of more than 64 bytes";
        if ((rows == 0) != (row_bytes == 0)) return "a tile without rows or without columns";
        next.tiles[t].rows = rows;
        next.tiles[t].row_bytes = row_bytes;
      }
    }
    state_ = next;
    return nullptr;
  }

  const char* store_configuration(std::uint8_t* memory) {
    std::uint8_t bytes[64] = {};
    if (state_.is_configured) {
      bytes[0] = 1;
      bytes[1] = state_.start_row;
      for (std::size_t t = 0; t < TileState::kTiles; ++t) {
        bytes[16 + 2 * t] = static_cast<std::uint8_t>(state_.tiles[t].row_bytes);
        bytes[48 + t] = static_cast<std::uint8_t>(state_.tiles[t].rows);
      }
    }
    std::memcpy(memory, bytes, sizeof(bytes));
    return nullptr;
  }

  // Row i is at the base + i times the scaled index, which is no part of the first row's address.
  const char* move() {
    if (mod_ == 3 || !has_sib_) return "a tile's address without a SIB byte";
    bool is_load = prefix_ == kF2 || prefix_ == k66;
    if (!is_load && prefix_ != kF3) return "not an instruction";
    Tile* tile = tile_of(reg_, high_reg_);
    if (tile == nullptr) return kNotConfigured;
    if (is_load) std::memset(tile->data, 0, sizeof(tile->data));
    for (std::size_t row = state_.start_row; row < tile->rows; ++row) {
      auto* memory = reinterpret_cast<std::uint8_t*>(base_ + row * scaled_index_);
      if (is_load) {
        std::memcpy(tile->data[row], memory, tile->row_bytes);
      } else {
        std::memcpy(memory, tile->data[row], tile->row_bytes);
      }
    }
    state_.start_row = 0;
    return nullptr;
  }

  const char* multiply() {
    if (mod_ != 3) return "a product with memory";
    if (opcode_ == 0x5c && prefix_ != kF3) return "not an instruction of AMX-BF16";
    Tile *sums = tile_of(reg_, high_reg_), *a = tile_of(rm_, high_base_),
         *b = tile_of(third_, false);
    if (sums == nullptr || a == nullptr || b == nullptr) return kNotConfigured;
    if (sums == a || sums == b || a == b) return "a product of one tile under two names";
    if (sums->row_bytes % 4 != 0 || a->row_bytes % 4 != 0 || b->row_bytes % 4 != 0) {
      return "rows of a product that are not whole groups of four bytes";
    }
    if (sums->rows != a->rows) return "the first factor has other rows than the sums";
    if (a->row_bytes / 4 != b->rows) return "the factors' inner dimensions differ";
    if (sums->row_bytes != b->row_bytes) return "the second factor has other columns than the sums";
    if (state_.start_row != 0) return "a product in the middle of a tile";
    is_product_ = true;
    for (std::size_t m = 0; m < TileState::kMaxRows; ++m) {
      for (std::size_t n = 0; n < TileState::kMaxRowBytes / 4; ++n) {
        std::uint8_t* sum = sums->data[m] + 4 * n;
        if (m >= sums->rows || 4 * n >= sums->row_bytes) {
          std::memset(sum, 0, 4);
        } else if (opcode_ == 0x5c) {
          add_bf16(sum, a->data[m], *b, n, a->row_bytes / 4);
        } else {
          add_bytes(sum, a->data[m], *b, n, a->row_bytes / 4);
        }
      }
    }
    return nullptr;
  }

  // Prefixes: none is unsigned times unsigned, 66 unsigned times signed, F3 signed times unsigned, F2
  // signed times signed. It touches tiles alone, so the sanitizers would find nothing, and take most
  // of a test's time.
  __attribute__((no_sanitize("thread", "address", "undefined"))) void add_bytes(
      std::uint8_t* place, const std::uint8_t* a, const Tile& b, std::size_t n,
      std::size_t count) const {
    bool a_signed = prefix_ == kF3 || prefix_ == kF2, b_signed = prefix_ == k66 || prefix_ == kF2;
    std::uint32_t sum;
    std::memcpy(&sum, place, 4);
    for (std::size_t k = 0; k < count; ++k) {
      const std::uint8_t* four = b.data[k] + 4 * n;
      for (std::size_t i = 0; i < 4; ++i) {
        int x = a_signed ? static_cast<std::int8_t>(a[4 * k + i]) : a[4 * k + i];
        int y = b_signed ? static_cast<std::int8_t>(four[i]) : four[i];
        sum += static_cast<std::uint32_t>(x * y);
      }
    }
    std::memcpy(place, &sum, 4);
  }

  // Not instrumented either, for the same reason.
  __attribute__((no_sanitize("thread", "address", "undefined"))) static float without_subnormals(
      float value) {
    return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value) : value;
  }
  __attribute__((no_sanitize("thread", "address", "undefined"))) static float bf16(
      const std::uint8_t* place) {
    std::uint16_t bits;
    std::memcpy(&bits, place, 2);
    return without_subnormals(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
  }

  // Two chains of fused multiply-adds, over the even and the odd inputs; then their sum is added.
  // Rounded to nearest; subnormal numbers are zero wherever they stand.
  __attribute__((no_sanitize("thread", "address", "undefined"))) static void add_bf16(
      std::uint8_t* place, const std::uint8_t* a, const Tile& b, std::size_t n, std::size_t count) {
    float even = 0.0f, odd = 0.0f, sum;
    for (std::size_t k = 0; k < count; ++k) {
      const std::uint8_t* pair = b.data[k] + 4 * n;
      even = without_subnormals(std::fma(bf16(a + 4 * k), bf16(pair), even));
      odd = without_subnormals(std::fma(bf16(a + 4 * k + 2), bf16(pair + 2), odd));
    }
    std::memcpy(&sum, place, 4);
    sum = without_subnormals(without_subnormals(sum) + without_subnormals(even + odd));
    std::memcpy(place, &sum, 4);
  }

  static constexpr const char* kNotConfigured = "a tile that is not configured";
  Tile* tile_of(unsigned number, bool is_high) {
    if (is_high || number >= TileState::kTiles || !state_.is_configured) return nullptr;
    Tile* tile = &state_.tiles[number];
    return tile->rows > 0 ? tile : nullptr;
  }

  const std::uint8_t* code_;
  const GeneralRegisters& registers_;
  TileState& state_;
  std::size_t length_ = 0;
  unsigned opcode_ = 0, mod_ = 0, reg_ = 0, rm_ = 0, third_ = 0;
  Prefix prefix_ = kNone;
  bool high_reg_ = false, high_index_ = false, high_base_ = false, is_wide_ = false;
  bool has_sib_ = false, is_product_ = false;
  std::uint64_t base_ = 0, scaled_index_ = 0;  // an address is their sum, but for a tile's
};

// While one lives, all threads of this process have AMX, and kernels/amx.h says so. At most one; for
// processors without AMX, which can_emulate() tells.
class AmxEmulator {
 public:
  // With AVX-512 and VNNI the kernels of AMX run, and without AMX its instructions are illegal.
  static bool can_emulate() {
    return kernels::has_vnni(kernels::Isa::kAvx512) && !kernels::amx().int8;
  }

  AmxEmulator() {
    is_alive_ = true;
    products_ = 0;
    broken_ = Products::kNone;
    struct sigaction action = {};
    action.sa_sigaction = on_illegal_instruction;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGILL, &action, &before_);
    static const kernels::Amx kAll{
        .int8 = true, .bf16 = true, .missing = "", .is_surprising = false};
    kernels::pretend_amx(&kAll);
  }
  ~AmxEmulator() {
    kernels::pretend_amx(nullptr);
    sigaction(SIGILL, &before_, nullptr);
    is_alive_ = false;
  }
  AmxEmulator(const AmxEmulator&) = delete;
  AmxEmulator& operator=(const AmxEmulator&) = delete;

  // How many products of tiles there have been, on all threads.
  static std::size_t products() { return products_; }

  // From now on every product of that kind has one wrong bit, as on a machine that is broken.
  enum class Products { kNone, kBytes, kBf16, kAll };
  static void break_products(Products which = Products::kAll) { broken_ = which; }

  static bool is_alive() { return is_alive_; }

 private:
  static void on_illegal_instruction(int, siginfo_t*, void* context) {
    greg_t* saved = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    constexpr int kOrder[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};
    GeneralRegisters registers;
    for (int i = 0; i < 16; ++i) registers[i] = static_cast<std::uint64_t>(saved[kOrder[i]]);
    const auto* code = reinterpret_cast<const std::uint8_t*>(saved[REG_RIP]);
    TileInstruction::Outcome outcome = TileInstruction::run(code, registers, state_);
    if (outcome.length == 0 || outcome.fault != nullptr) {
      die(outcome.length == 0 ? "an illegal instruction that is none of AMX's" : outcome.fault);
      return;  // to the same instruction
    }
    if (outcome.is_product) {
      ++products_;
      Products kind = code[3] == 0x5c ? Products::kBf16 : Products::kBytes;
      Products broken = broken_;
      if (broken == kind || broken == Products::kAll) {
        state_.tiles[code[4] >> 3 & 7].data[0][0] ^= 1;
      }
    }
    saved[REG_RIP] += static_cast<greg_t>(outcome.length);
  }

  static void die(const char* why) {
    for (const char* text : {"AMX emulator: ", why, "\n"}) {
      [[maybe_unused]] ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
    }
    signal(SIGILL, SIG_DFL);
  }

  static inline thread_local constinit TileState state_ = {};
  static inline std::atomic<std::size_t> products_ = 0;
  static inline std::atomic<bool> is_alive_ = false;
  static inline std::atomic<Products> broken_ = Products::kNone;
  struct sigaction before_ = {};
};

}  // namespace chorus::test

#endif

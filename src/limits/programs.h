// Loops that do nothing but read memory, or multiply and add, as fast as one thread can: one of
// each for every instruction set. Each returns something that depends on all it did, so that no
// compiler leaves it out. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "chorus/error.h"
#include "chorus/number_format.h"
#include "chorus/result.h"

namespace chorus::limits {

inline constexpr std::size_t kReadTurn = 256;  // floats: what `read` reads is a multiple of it
inline constexpr std::size_t kTurns = 20'000;  // of the arithmetic loops

struct Programs {
  float (*read)(const float* x, std::size_t count);  // x aligned to 64 bytes
  float (*multiply_add)();                           // f32
  double multiply_add_operations;                    // multiplications and additions of one call
  float (*multiply_pairs)() = nullptr;  // bf16 to f32; null where that is no faster than f32
  double multiply_pairs_operations = 0.0;
  float (*dot)();  // bytes to 32-bit sums
  double dot_operations;
};

// Products of whole tiles by AMX, four of them in a turn. The results are 4 * 960 and 4 * 16 for each.
struct AmxPrograms {
  float (*int8)(std::size_t turns);
  float (*bf16)(std::size_t turns);  // null where there is no AMX-BF16
};
inline constexpr double kAmxInt8Operations = 4 * 2 * 16 * 16 * 64;  // of a turn
inline constexpr double kAmxBf16Operations = 4 * 2 * 16 * 16 * 32;

// `instructions` as kernels::Kernels::name has them; this processor must have them.
Programs programs_for(std::string_view instructions);

// Where it may be used, see kernels/amx.h; the error says why not.
Result<AmxPrograms> amx_programs_for(std::string_view instructions);

// What products with weights of this format are made of, the fastest that is used here.
struct Arithmetic {
  std::function<float()> program;
  double operations;  // of one call
};
Arithmetic arithmetic_for(std::string_view instructions, NumberFormat weights);

}  // namespace chorus::limits

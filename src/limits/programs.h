// Loops that do nothing but read memory, or multiply and add, as fast as one thread can: one of
// each for every instruction set. Each returns something that depends on all it did, so that no
// compiler leaves it out. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace chorus::limits {

inline constexpr std::size_t kReadTurn = 256;  // floats: what `read` reads is a multiple of it
inline constexpr std::size_t kTurns = 20'000;  // of the arithmetic loops

struct Programs {
  float (*read)(const float* x, std::size_t count);  // x aligned to 64 bytes
  float (*multiply_add)();                           // f32
  double multiply_add_operations;                    // multiplications and additions of one call
  float (*dot)();                                    // bytes to 32-bit sums
  double dot_operations;
};

// `instructions` as kernels::Kernels::name has them; this processor must have them.
Programs programs_for(std::string_view instructions);

}  // namespace chorus::limits

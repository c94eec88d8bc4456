// Advanced Matrix Extensions: whether this process may use them, as a variant of avx512. A processor
// that has them gives no program their registers before it has asked; a system may refuse, and a
// virtual machine may promise what it does not keep. So the first question asks the system and then
// lets one small product be made both ways.
//
// Thread contract: everything here may be called from any thread. The permission is the whole
// process's: threads that exist already have it, too, and child processes until they exec.
#pragma once

#include <string>

namespace chorus::kernels {

struct Amx {
  bool int8 = false;  // tiles, and products of bytes on them
  bool bf16 = false;  // products of bf16
  // Why `int8` is false, for a person: "this processor does not have it".
  std::string missing;
  // Whether that is worth a note to who did not ask for AMX: the processor has it.
  bool is_surprising = false;
};

// Of this process: asked for and tried once.
const Amx& amx();

// Whether the products of AMX have the bits that those of vectors have, on a small example that takes
// microseconds; those of bf16 if they are asked for. The instructions must be there.
bool amx_products_agree(bool bf16);

// For tests that emulate the instructions: what amx() answers from now on; null for the truth.
void pretend_amx(const Amx* answer);

}  // namespace chorus::kernels

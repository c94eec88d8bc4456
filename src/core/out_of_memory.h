// Running out of memory as an error that is returned. Pure functions.
#pragma once

#include <new>
#include <type_traits>

#include "chorus/error.h"

namespace chorus {

// Takes no memory itself: the text is short enough to lie in the string.
inline Error out_of_memory() { return {ErrorCode::kOutOfMemory, "out of memory"}; }

// What `function` returns, a Result; kOutOfMemory if it throws std::bad_alloc.
template <class Function>
std::invoke_result_t<Function> or_out_of_memory(Function&& function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

}  // namespace chorus

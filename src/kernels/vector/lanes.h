// What all vector kernels begin with: how many lanes there are, and how the last ones of an array
// are read and written.
#pragma once

#include "kernels/vector/concepts.h"

namespace chorus::kernels {
namespace {

constexpr std::size_t kLanes = Vector::kLanes;

// `lanes` floats, the rest 0; all of them but at the end of an array.
inline Vector load_lanes(const float* x, std::size_t lanes) {
  return lanes == kLanes ? Vector::load(x) : Vector::load_first(x, lanes);
}
inline void store_lanes(Vector value, float* x, std::size_t lanes) {
  if (lanes == kLanes) {
    value.store(x);
  } else {
    value.store_first(x, lanes);
  }
}

}  // namespace
}  // namespace chorus::kernels

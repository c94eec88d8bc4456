// Single numbers of a PyTorch checkpoint, in each of the ways in which training scripts store them.
// Pure functions over immutable values; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "checkpoint/pytorch/tensors.h"

namespace chorus::checkpoint {

struct Number {
  bool is_integer = false;
  std::int64_t integer = 0;  // if is_integer
  double real = 0;           // always
};

// A Python int or float, or a NumPy scalar; nothing for any other value.
std::optional<Number> read_plain_number(const Pickle& pickle, PickleRef ref);

// A Python int or float, a NumPy scalar, or a tensor of one element; nothing for any other value.
// Errors: as tensor_data()'s.
Result<std::optional<Number>> read_number(PytorchArchive& archive, PickleRef ref);

}  // namespace chorus::checkpoint

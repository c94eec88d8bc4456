// Tensors of a PyTorch checkpoint: what the pickle says of one, checked against its storage. Not where tensors are looked for or named (pytorch.cpp). Pure functions over
// immutable values; any thread.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/pytorch/archive.h"
#include "checkpoint/pytorch/globals.h"

namespace chorus::checkpoint {

// What the pickle says of a tensor. Nothing is checked yet against the storage.
struct TensorRecord {
  const ElementType* type = nullptr;
  PickleRef storage = kNoPickleRef;  // a kPersistent
  std::int64_t offset = 0;           // of the first element in its storage, in elements
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  // in elements
  bool is_lazy = false;               // the storage's elements are yet to be negated or conjugated
};

// The global that an object was made by, as a number; -1 for anything but an object of a global.
int callable_of(const Pickle& pickle, PickleRef ref);

// The class or function that an object was made by, as "module.name", and of copyreg's
// reconstructor the class that it was given; for any other value what it is: "an integer".
std::string kind_of(const Pickle& pickle, PickleRef ref);

// Whether a value is a tensor or a parameter.
bool is_tensor(const Pickle& pickle, PickleRef ref);

// Errors: kCorrupt and kUnsupported, naming the byte of the pickle.
Result<TensorRecord> read_tensor_record(const Pickle& pickle, PickleRef ref);

// The bytes from the tensor's first element to the end of its last one, all inside the storage.
// Errors: kCorrupt (no such storage, wrong size, elements outside of it) and kUnsupported.
Result<std::span<const std::byte>> tensor_data(PytorchArchive& archive, const TensorRecord& record);

}  // namespace chorus::checkpoint

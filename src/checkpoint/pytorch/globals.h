// The Python globals that a PyTorch checkpoint may name, and the element types of its tensors. What
// tensors are made of is known by name. Any other class (a config, a path, a date) is opaque: its
// objects are kept as what they were made of, and nothing is called. Functions that do something to
// the machine when PyTorch calls them are refused by name, as no honest file names them.
// Constant data; any thread may read.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {

// What a global means to the reader; several names may mean the same.
enum class Global : int {
  kOpaque,            // any class or function that is none of those below
  kOrderedDict,       // and defaultdict: a dict whose items are set after it is made
  kReconstructor,     // copyreg._reconstructor(class, base, state of the base)
  kSize,              // torch.Size(sequence)
  kEncode,            // _codecs.encode(text, "latin1"): bytes in protocol 2
  kNumpyDtype,        // numpy.dtype("f8", align, copy), its byte order in the state
  kNumpyScalar,       // (dtype, bytes)
  kRebuildTensor,     // (storage, offset, size, stride, ...)
  kRebuildTensorV3,   // (untyped storage, offset, size, stride, requires_grad, hooks, dtype, ...)
  kRebuildParameter,  // (tensor, requires_grad, hooks, ...)
  kRebuildFromType,   // (function, class, arguments, state): a tensor with attributes
  kUntypedStorage,
  kStorage = 0x100,  // + place in the table of element types
  kDtype = 0x200,    // + the same
};

struct ElementType {
  const char* name;                   // torch's: "float32"
  const char* storage;                // "FloatStorage"; null if it has no storage class
  std::size_t size;                   // bytes
  std::optional<NumberFormat> dtype;  // if tensors of it can be weights
};

// For Pickle::read: a Global, as a number; nothing for one that is refused.
std::optional<int> resolve_global(std::string_view module, std::string_view name);

// The element type of a storage class or of a dtype, or null.
const ElementType* element_type_of(int global);

// The element type that NumPy calls `code` ("f8", "i4"), or null.
const ElementType* element_type_of_numpy(std::string_view code);

}  // namespace chorus::checkpoint

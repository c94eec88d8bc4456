// Weights that were trained or saved as 64-bit floats. Pure.
#pragma once

#include "checkpoint/raw.h"

namespace chorus::checkpoint {

// The tensor in f32, row-major, each element rounded to the nearest (as PyTorch's load_state_dict
// copies it into a model of f32). The elements are new memory, which `owners` keeps.
// `tensor` is f64. Errors: kUnsupported if there is not the memory.
Result<Tensor> round_to_f32(const OtherTensor& tensor,
                            std::vector<std::shared_ptr<const void>>& owners);

}  // namespace chorus::checkpoint

// What programs save beside the weights of attention: the causal mask, and the score that it puts in
// place of what it hides. They must say what is computed here: another mask (a window, none at all)
// makes another text. Not where such tensors are found (plain_names.cpp). Any thread, one checkpoint.
#pragma once

#include <string_view>

#include "checkpoint/raw.h"

namespace chorus::checkpoint {

class MaskBuffers {
 public:
  // Whether the tensor is such a buffer, which is then passed over; `name` is GPT-2's own, and
  // is_mask_buffer() of it. False if its shape is not one's: it is a weight that GPT-2 does not have.
  // A tensor without data is taken for a buffer. Errors: kUnsupported for one that says something
  // else, and for masks of more elements than can be looked at.
  Result<bool> check(std::string_view name, const Tensor& tensor);
  Result<bool> check(std::string_view name, const OtherTensor& tensor);

 private:
  std::int64_t left_ = std::int64_t{1} << 30;  // elements to look at
};

}  // namespace chorus::checkpoint

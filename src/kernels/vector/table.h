// The table of an instruction set's kernels.
#pragma once

#include "kernels/vector/bf16_matmul.h"
#include "kernels/vector/matmul.h"
#include "kernels/vector/quantise.h"
#include "kernels/vector/reductions.h"
#include "kernels/vector/widened_pairs.h"

namespace chorus::kernels {
namespace {

constexpr Kernels table(const char* name, const IntegerKernels& integers) {
  return {
      .name = name,
      .matmul = {.f32 = matmul<float>,
                 .bf16_f32 = matmul<std::uint16_t>,
                 .bf16 = {.round = round_bf16,
                          .row_group_bytes = WidenedPairs::kGroupBytes,
                          .matmul = matmul_bf16<WidenedPairs>},
                 .int8 = integers.int8,
                 .int4 = integers.int4,
                 .quantise = quantise},
      .norm = {.layer_norm = layer_norm},
      .activation = {.gelu_tanh = map<gelu_tanh_vector>,
                     .gelu_erf = map<gelu_erf_vector>,
                     .relu = map<relu_vector>,
                     .softmax = softmax,
                     .add = add},
      .sampling = {.softmax = softmax_vocabulary,
                   .find_over = find_over,
                   .sum_exp = sum_exp,
                   .sum_exp_gap = sum_exp_gap,
                   .max = max},
  };
}

}  // namespace
}  // namespace chorus::kernels

// The k most probable tokens in the order that torch.topk gives on a CPU. Its comparison looks at
// the values alone, so equal values come out in the order of libstdc++'s heap and selection
// algorithms, which are therefore used here too. Not thread-safe on one output; no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernels.h"
#include "sampling/candidate.h"

namespace chorus::sampling {

// Leaves in `candidates` the k largest of probabilities[0, usable), descending. The rest, padding
// of the vocabulary, is never among them, but counts where PyTorch chooses its algorithm by the
// size. Needs 1 <= k <= usable <= probabilities.size(), every probability in [0, 1], no NaN. The
// vector's room is reused: up to k + 1 elements, or one per probability when k is over 1/64 of
// them.
void top_k(const kernels::Kernels& kernels, std::span<const float> probabilities,
           std::int32_t usable, std::int32_t k, std::vector<Candidate>& candidates);

// The k-th largest of `values`, which hold no NaN; 1 <= k <= their number. `room` is room.
float kth_largest(const kernels::Kernels& kernels, std::span<const float> values, std::size_t k,
                  std::vector<float>& room);

}  // namespace chorus::sampling

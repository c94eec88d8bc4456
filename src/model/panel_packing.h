// From a matrix as a file has it to panels of floating-point weights (kernels/panels.h). It keeps no
// memory and knows no threads: who calls it shares out the panels. Pure; any thread.
#pragma once

#include "checkpoint/checkpoint.h"
#include "core/thread_team.h"

namespace chorus::model {

// Elements of a panel of `type`, which is kF32, kBf16F32 or kBf16.
std::size_t float_panel_size(NumberFormat type, std::size_t inputs);

// Packs the panels of a range of `weight` [N, K], of any element type, strides and alignment, as `type`:
// widened exactly, then rounded to nearest, ties to even, if `type` is of 16 bits (NaN stays NaN);
// and what kBf16's arithmetic counts as 0 is 0. Padding becomes 0. `out` is where the first of them
// goes. Returns whether none of their weights is NaN or infinite, or has become so.
bool pack_panels(const checkpoint::Tensor& weight, Range panels, NumberFormat type, void* out);

}  // namespace chorus::model

// One panel of a matrix of floats as integers and scales: the arithmetic of quantise.h, output by
// output beside each other. Pure; any thread.
#pragma once

#include <cstdint>

#include "chorus/number_format.h"

namespace chorus::model {

// From `weights`, a panel of f32 (kernels/panels.h) of `groups` whole groups of inputs, zero beyond
// the matrix, to the panel's integers of `type`, kInt8 or kInt4, and its scales [groups][32] of bf16.
// A group with a NaN or an infinity gets the scale NaN, one of tiny weights the scale 0; both, integers 0.
void quantise_panel(const float* weights, std::size_t groups, NumberFormat type,
                    std::uint8_t* integers, std::uint16_t* scales);

}  // namespace chorus::model

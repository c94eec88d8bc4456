// GPT-2's forward step: its parts in their order.
#pragma once

#include "model/step_phases.h"

namespace chorus::model {

void gpt2(const Weights& weights, StepPhases& step);

}  // namespace chorus::model

// Makes a quantised checkpoint of one of floating-point weights: the same bits whether it is then
// computed with or written to a file. docs/numerics.md says what is minimised and what it costs.
#pragma once

#include <functional>
#include <string>

#include "checkpoint/checkpoint.h"
#include "core/thread_team.h"

namespace chorus::model {

using LoadProgress = std::function<void(std::size_t done_bytes, std::size_t total_bytes)>;

// How a model whose matrices are of `type` holds this tensor: vectors and positions as f32, and beside int4
// the token embedding and the head as int8.
NumberFormat format_of(const std::string& name, const checkpoint::Tensor& tensor,
                       NumberFormat type);

// Every matrix but wpe.weight, quantised; the other tensors are views into the same file as before.
// Throws std::bad_alloc. `checkpoint`
// must not be quantised.
checkpoint::Checkpoint quantise(const checkpoint::Checkpoint& checkpoint, NumberFormat type,
                                ThreadTeam& team, const LoadProgress& progress = {});

}  // namespace chorus::model

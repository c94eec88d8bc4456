// Whether a request can be begun at all. Pure functions.
#pragma once

#include <span>

#include "chorus/engine.h"

namespace chorus::engine {

// Errors: kInvalidArgument, naming the field, what was found and what was expected.
Result<void> check(const Request& request, const ModelInfo& info);

// Whether every id is one of the model's. Errors: kInvalidArgument, with the id and its place.
Result<void> check_ids(std::span<const std::int32_t> ids, const char* field, const ModelInfo& info);

}  // namespace chorus::engine

// Helpers for error messages: how a shape is written, and the place where an error happened. Names
// out of a file: see printable.h. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chorus/error.h"

namespace chorus {

inline Error corrupt(std::string message) { return {ErrorCode::kCorrupt, std::move(message)}; }

// "[3, 128]".
std::string shape_text(const std::vector<std::int64_t>& shape);

// The result itself, or its error with "PLACE: " in front.
template <class T>
Result<T> in_place(Result<T>&& result, const std::string& place) {
  if (!result) return std::move(result.assume_error()).in(place);
  return std::move(result);
}

}  // namespace chorus

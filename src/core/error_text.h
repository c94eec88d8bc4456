// Helpers for error messages: how a shape is written, and the place where an error happened. Names
// out of a file: see printable.h. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chorus/error.h"

namespace chorus {

inline Error corrupt(std::string message) { return {ErrorCode::kCorrupt, std::move(message)}; }

// "[3, 128]".
std::string shape_text(const std::vector<std::int64_t>& shape);

// "a, b, c and 4 more": the first `most` of the words, and how many there are beside them.
std::string listed(const std::vector<std::string>& words, std::size_t most);

// The result itself, or its error with "PLACE: " in front.
template <class T>
Result<T> in_place(Result<T>&& result, const std::string& place) {
  if (!result) return std::move(result.assume_error()).in(place);
  return std::move(result);
}

}  // namespace chorus

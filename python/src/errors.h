// Errors on their way to Python: a chorus::Error becomes the exception of its kind (chorus/_errors.py).
// Thrown and translated with the interpreter's lock held.
#pragma once

#include <string>
#include <utility>

#include "chorus/error.h"

namespace chorus::python {

// Carries an Error through nanobind to the translator.
struct Failure {
  Error error;
};

[[noreturn]] inline void fail(Error error) { throw Failure{std::move(error)}; }
[[noreturn]] inline void refuse(std::string message) {
  fail({ErrorCode::kInvalidArgument, std::move(message)});
}

template <class T>
T value_or_fail(Result<T>&& result) {
  if (!result) fail(std::move(result.assume_error()));
  if constexpr (!std::is_void_v<T>) return std::move(result.assume_value());
}

// Of the module, once.
void translate_failures();

}  // namespace chorus::python

#include "errors.h"

#include <nanobind/nanobind.h>

#include <new>

#include "inside.h"

namespace nb = nanobind;

namespace chorus::python {
namespace {

const char* code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kNetwork:
      return "network";
    case ErrorCode::kOverloaded:
      return "overloaded";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kOutOfMemory:
      return "out_of_memory";
  }
  return "unavailable";
}

void raise(ErrorCode code, const std::string& message) {
  Call call;  // what it makes the exception with is Python
  try {
    // Text of a file may be in a message, and need not be UTF-8.
    nb::object text = nb::steal(
        PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "replace"));
    nb::object exception =
        nb::module_::import_("chorus._errors").attr("make_error")(code_name(code), std::move(text));
    PyErr_SetObject(exception.type().ptr(), exception.ptr());
  } catch (nb::python_error& error) {
    error.restore();
  }
}

}  // namespace

void translate_failures() {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Failure& failure) {
      raise(failure.error.code, failure.error.message);
    } catch (const std::bad_alloc&) {
      raise(ErrorCode::kOutOfMemory, "there was no memory for this call");
    }
  });
}

}  // namespace chorus::python

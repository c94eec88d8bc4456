// C++ values as Python's plain ones (tuples, lists, numbers), of which chorus/_results.py makes its
// classes. Needs the interpreter's lock.
#pragma once

#include <nanobind/nanobind.h>

#include "chorus/request.h"

namespace chorus::python {

struct Piece;

// (id, logprob or None, [(id, logprob), ...] of the likeliest)
nanobind::tuple token_tuple(const TokenInfo& token);
// (ids, text, finish_reason, usage, tokens or None, prompt's tokens or None)
nanobind::tuple completion_tuple(const Completion& completion, bool with_tokens);
// (sample, text, token or None)
nanobind::tuple piece_tuple(const Piece& piece);

}  // namespace chorus::python

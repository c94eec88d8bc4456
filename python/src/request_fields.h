// A request out of Python's keyword arguments. Names, ranges and defaults of the sampling fields are
// those of sampling/sampling_fields.h, as for the command line and the server. Needs the
// interpreter's lock.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "chorus/engine.h"

namespace chorus::python {

// The names that read_request() knows.
const std::vector<std::string>& request_field_names();

// `fields`: names with values, None being as good as leaving one out. Throws Failure
// (kInvalidArgument) naming the field, what was expected and what was found.
Request read_request(std::vector<std::int32_t> prompt, const nanobind::dict& fields,
                     const ModelInfo& info);

}  // namespace chorus::python

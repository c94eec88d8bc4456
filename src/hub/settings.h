// Options with what the environment says in place of what they leave out. Reads the environment,
// and so must not run while another thread changes it.
#pragma once

#include "chorus/error.h"
#include "hub/hub.h"

namespace chorus::hub {

// The endpoint without a slash at its end, the cache folder and the token filled in and checked.
// Errors: kInvalidArgument, naming the variable to set.
Result<Options> with_environment(Options options);

}  // namespace chorus::hub

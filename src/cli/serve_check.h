// `chorus serve --check`: everything that a start reads is read, and nothing is served.
#pragma once

#include "cli/serve_options.h"

namespace chorus::cli {

// Says on standard output what would be served, a line each. What is wrong (all of it, not the first
// alone) is thrown as CommandFailed. No address is listened on and nothing is fetched; of models
// only what their headers say is read.
void check_serve(const ServeOptions& options);

}  // namespace chorus::cli

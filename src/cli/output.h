// What the commands write to standard output. It is not for messages and progress, which belong on
// standard error. Single-threaded.
#pragma once

#include <string_view>

namespace chorus::cli {

// Writes `text` to standard output and sees it through to the reader (no buffer holds it back).
// Throws CommandFailed with the system's reason, for example when the disk is full.
void write_output(std::string_view text);

}  // namespace chorus::cli

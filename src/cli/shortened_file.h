// What becomes of a command whose file is cut short while it is mapped. Reading behind the new end is a
// SIGBUS, from which no reader can go on; but the reason can be told, in place of "Bus error".
#pragma once

namespace chorus::cli {

// From here on such a read ends the process with a message on standard error, and exit status 1. A SIGBUS of
// another cause, as broken memory, ends it as before. Once, at the start of the program.
void tell_of_shortened_files();

}  // namespace chorus::cli

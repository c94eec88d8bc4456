#include "cli/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "cli/commands.h"

namespace chorus::cli {

void write_output(std::string_view text) {
  std::size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
  if (written != text.size() || std::fflush(stdout) != 0) {
    throw CommandFailed(std::string("standard output: ") + std::strerror(errno));
  }
}

}  // namespace chorus::cli

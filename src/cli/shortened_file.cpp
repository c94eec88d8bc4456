#include "cli/shortened_file.h"

#include <signal.h>
#include <unistd.h>

namespace chorus::cli {
namespace {

constexpr char kMessage[] =
    "chorus: a file that was being read was truncated or overwritten meanwhile; start again when "
    "it is "
    "whole (replace a file by renaming another over it)\n";

// In a handler of signals only what is async-signal-safe may be called.
void on_bus_error(int, siginfo_t* info, void*) {
  if (info->si_code != BUS_ADRERR) return;  // happens again, with the system's own handler
  [[maybe_unused]] ssize_t ignored = ::write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  ::_exit(1);
}

}  // namespace

void tell_of_shortened_files() {
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_RESETHAND;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace chorus::cli

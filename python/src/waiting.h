// Waiting without the interpreter's lock, so that other Python threads run meanwhile, and so that
// Ctrl-C ends the wait: the main thread looks for signals every so often, as Python's own waits do.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <cstddef>
#include <functional>

#include "chorus/error.h"

namespace chorus::python {

// Whether Python would handle signals on this thread: it does on the process's first.
bool is_main_thread();

// Counts a thread that waits, while it is there. A function that waits has one until it returns or its error has
// become Python's (Failure): the end of the interpreter ends other threads wherever they meet it, and in C++ that must
// not be.
class Waiting {
 public:
  Waiting();
  ~Waiting();
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
};

// Until no thread waits any more, or for two seconds: for the end of the interpreter, which a thread
// must not meet on its way back. Gives the lock up.
void let_waiting_return();

// Calls wait(slice) without the lock until it is true; between slices the main thread handles
// signals. Throws what a signal handler raises (KeyboardInterrupt) as nanobind::python_error. Needs
// the lock.
template <class Wait>
void wait_for(Wait&& wait) {
  Waiting counted;
  bool looks = is_main_thread();
  std::chrono::milliseconds slice = looks ? std::chrono::milliseconds(50) : std::chrono::hours(1);
  while (true) {
    bool done = false;
    {
      nanobind::gil_scoped_release release;
      done = wait(slice);
    }
    if (done) return;
    if (looks && PyErr_CheckSignals() != 0) nanobind::raise_python_error();
  }
}

// Calls item(i) for each i below `count`, on at most `threads` threads of its own, without the lock;
// returns when all are done. After the first error, or a signal, no further item begins, and those
// that have begun are waited for; interrupt() is to end them early. Errors: of the items that failed, the one of the lowest index.
// Throws as wait_for() does. Items must not touch Python.
Result<void> run_items(std::size_t count, std::size_t threads,
                       const std::function<Result<void>(std::size_t)>& item,
                       const std::function<void()>& interrupt);

}  // namespace chorus::python

// Waiting without the interpreter's lock, so that other Python threads run meanwhile, and so that
// Ctrl-C ends the wait: the main thread looks for signals every so often, as Python's own waits do.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <cstddef>
#include <functional>

#include "chorus/error.h"
#include "inside.h"

namespace chorus::python {

// Calls wait(slice) without the lock until it is true; between slices the main thread handles
// signals. Throws what a signal handler raises (KeyboardInterrupt) as nanobind::python_error. Needs
// the lock, and a Call.
template <class Wait>
void wait_for(Wait&& wait) {
  bool looks = is_main_thread();
  std::chrono::milliseconds slice = looks ? std::chrono::milliseconds(50) : std::chrono::hours(1);
  while (true) {
    bool done = false;
    {
      Unlocked unlocked;
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

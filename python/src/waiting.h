// Waiting without the interpreter's lock, so that other Python threads run meanwhile, and so that
// Ctrl-C ends the wait: the main thread looks for signals every so often, as Python's own waits do.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "chorus/error.h"
#include "core/out_of_memory.h"
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

// What work(), a function that may take long and knows nothing of Python, returns (a Result). It runs on a thread of
// its own, so that a signal need not wait for it: it goes on to its end then, and what it returns is dropped. Throws as
// wait_for() does.
template <class Work>
std::invoke_result_t<Work> wait_apart(Work work) {
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<std::invoke_result_t<Work>> result;
  };
  auto state = std::make_shared<State>();
  std::thread([state, work = std::move(work)] {
    std::invoke_result_t<Work> result = or_out_of_memory(work);
    std::lock_guard lock(state->mutex);
    state->result.emplace(std::move(result));
    state->changed.notify_all();
  }).detach();
  wait_for([&](std::chrono::milliseconds slice) {
    std::unique_lock lock(state->mutex);
    return state->changed.wait_for(lock, slice, [&] { return state->result.has_value(); });
  });
  std::lock_guard lock(state->mutex);
  return std::move(*state->result);
}

// Calls item(i) for each i below `count`, on at most `threads` threads of its own, without the lock;
// returns when all are done. After the first error, or a signal, no further item begins, and those
// that have begun are waited for; interrupt() is to end them early. Errors: of the items that failed, the one of the lowest index.
// Throws as wait_for() does. Items must not touch Python.
Result<void> run_items(std::size_t count, std::size_t threads,
                       const std::function<Result<void>(std::size_t)>& item,
                       const std::function<void()>& interrupt);

}  // namespace chorus::python

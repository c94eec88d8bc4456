#include "inside.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>

namespace chorus::python {
namespace {

std::atomic<std::size_t> calling = 0;  // threads with a Call
std::atomic<std::size_t> holding = 0;  // of these, those that hold the lock or are about to take it
std::atomic<bool> others = false;      // whether another thread than the first has ever had a Call
std::atomic<bool> ending = false;
std::atomic<std::thread::id> ender;      // set before `ending`
thread_local std::size_t own_calls = 0;  // of this thread, one inside the other

[[noreturn]] void stay() {
  while (true) pause();
}

// Counted before looking, as end_of_interpreter() says that it ends before it looks at the count: one of the two
// sees the other.
void hold(bool has_lock) {
  ++holding;
  if (!ending || std::this_thread::get_id() == ender) return;
  --holding;
  if (has_lock) PyEval_SaveThread();
  stay();
}

template <class Done>
void wait_until(std::chrono::milliseconds most, Done&& done) {
  auto end = std::chrono::steady_clock::now() + most;
  while (!done() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

bool is_main_thread() { return syscall(SYS_gettid) == getpid(); }

Call::Call() {
  if (own_calls++ > 0) return;
  hold(true);
  ++calling;
  if (!is_main_thread()) others = true;
}

Call::~Call() {
  if (--own_calls > 0) return;
  --calling;
  --holding;
}

Unlocked::Unlocked() : thread_(PyEval_SaveThread()) { --holding; }

Unlocked::~Unlocked() {
  hold(false);
  PyEval_RestoreThread(thread_);
}

void end_of_interpreter() {
  Unlocked unlocked;  // of this function's Call: this thread is in one, and holds nothing
  wait_until(std::chrono::seconds(1), [] { return calling == 1; });
  ender = std::this_thread::get_id();
  ending = true;
  wait_until(std::chrono::seconds(1), [] { return holding == 0; });
  // The last steps, out of nanobind, are not counted.
  if (others) std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

void forget_other_threads() {
  calling = holding = own_calls > 0 ? 1 : 0;
  others = false;
}

}  // namespace chorus::python

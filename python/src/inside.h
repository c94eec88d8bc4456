// Which threads are inside of this module, so that the interpreter's end meets none of them there: it ends
// other threads wherever they take its lock the next time, and in C++ that terminates the program.
//
// Every function that Python calls has a Call while it runs, and gives the lock up by Unlocked alone. Once
// end_of_interpreter() was called, another thread that comes in or would take the lock again stays where it is.
#pragma once

#include <nanobind/nanobind.h>

namespace chorus::python {

// Whether Python would handle signals on this thread: it does on the process's first.
bool is_main_thread();

// A function of the module that runs on this thread. Made and ended with the lock held.
class Call {
 public:
  Call();
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
};

// Gives the lock up, in a Call.
class Unlocked {
 public:
  Unlocked();
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* thread_;
};

// For the main thread, before the interpreter ends and when nothing is left to wait for: lets the calls of other
// threads return, for a second at most, and from then on keeps them from the lock. Gives the lock up.
void end_of_interpreter();

// After fork(), in the child: the parent's other threads are not in it.
void forget_other_threads();

}  // namespace chorus::python

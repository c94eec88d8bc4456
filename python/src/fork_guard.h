// The process in which something with threads was made. After fork() the child has none of these
// threads, and their locks as they happened to be: nothing of it may be used or destroyed there.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include "errors.h"

namespace chorus::python {

class ForkGuard {
 public:
  bool is_here() const { return getpid() == process_; }
  void check() const {
    if (is_here()) return;
    fail({ErrorCode::kUnavailable,
          "the model was loaded before this process was forked, and its threads are in the parent; "
          "load it in the child, or start processes with multiprocessing's \"spawn\""});
  }

  // Destroys *holder here; in a forked child leaves it where it is.
  template <class T>
  void dispose(T& holder) const {
    if (!is_here()) {
      [[maybe_unused]] T* kept = new T(std::move(holder));
    }
  }

 private:
  pid_t process_ = getpid();
};

}  // namespace chorus::python

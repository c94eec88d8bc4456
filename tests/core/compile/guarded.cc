// Compiled by the tests, with clang: once as it is, and once each with one of the mistakes below, which must
// not compile.
#include "core/mutex.h"

namespace chorus {

class Counter {
 public:
  void add() {
    Lock lock(mutex_);
    ++count_;
  }
  int wait_for_some() {
    Lock lock(mutex_);
    while (count_ == 0) changed_.wait(mutex_);
    return count_;
  }

#ifdef READS_WITHOUT_THE_LOCK
  int peek() { return count_; }
#endif
#ifdef HOLDS_ANOTHER_LOCK
  void add_under_another() {
    Lock lock(other_);
    ++count_;
  }
#endif
#ifdef WAITS_WITHOUT_THE_LOCK
  void wait() { changed_.wait(mutex_); }
#endif
#ifdef KEEPS_THE_LOCK
  void keep() { mutex_.lock(); }
#endif

  RecursiveMutex other_;

 private:
  Mutex mutex_;
  Condition changed_;
  int count_ CHORUS_GUARDED_BY(mutex_) = 0;
};

}  // namespace chorus

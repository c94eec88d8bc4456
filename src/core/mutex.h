// The standard library's locks, with the annotations that libstdc++'s own have not: clang refuses to
// compile an access to a CHORUS_GUARDED_BY member without its lock.
//
// Thread contract: std::mutex's, std::recursive_mutex's and std::condition_variable's.
#pragma once

#include <condition_variable>
#include <mutex>

#include "core/thread_annotations.h"

namespace chorus {

class CHORUS_CAPABILITY("mutex") Mutex {
 public:
  void lock() CHORUS_ACQUIRE() { mutex_.lock(); }
  void unlock() CHORUS_RELEASE() { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

// May be locked again by the thread that holds it.
class CHORUS_CAPABILITY("mutex") RecursiveMutex {
 public:
  void lock() CHORUS_ACQUIRE() { mutex_.lock(); }
  void unlock() CHORUS_RELEASE() { mutex_.unlock(); }

 private:
  std::recursive_mutex mutex_;
};

// Holds a lock while it lives.
template <class M>
class CHORUS_SCOPED_CAPABILITY Lock {
 public:
  explicit Lock(M& mutex) CHORUS_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() CHORUS_RELEASE() { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  M& mutex_;
};

// To wait, while a Mutex is held, for what another thread does under it. Without predicates: the
// analysis does not follow a lock into a lambda. Write `while (!what) condition.wait(mutex);`.
class Condition {
 public:
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

  // Lets the mutex go while it waits; may return without a notification.
  void wait(Mutex& mutex) CHORUS_REQUIRES(mutex) {
    Adopted lock(mutex.mutex_);
    condition_.wait(lock.held);
  }
  template <class Duration>
  void wait_for(Mutex& mutex, const Duration& duration) CHORUS_REQUIRES(mutex) {
    Adopted lock(mutex.mutex_);
    condition_.wait_for(lock.held, duration);
  }

 private:
  // The caller's lock in the form that std::condition_variable wants; it stays the caller's.
  struct Adopted {
    explicit Adopted(std::mutex& mutex) : held(mutex, std::adopt_lock) {}
    ~Adopted() { held.release(); }
    std::unique_lock<std::mutex> held;
  };

  std::condition_variable condition_;
};

}  // namespace chorus

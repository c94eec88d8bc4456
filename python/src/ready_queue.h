// Which jobs have news, told by the engine's thread to one Python thread that hands it on
// (chorus/_dispatch.py): the engine's thread never waits for the interpreter's lock.
//
// Thread contract: any thread pushes, one takes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "fork_guard.h"

namespace chorus::python {

class ReadyQueue {
 public:
  // In a forked child the queue is left as it is: destroying what the parent's thread waits on would wait for it.
  static std::shared_ptr<ReadyQueue> make() {
    return {new ReadyQueue, [here = ForkGuard()](ReadyQueue* queue) {
              if (here.is_here()) delete queue;
            }};
  }

  void push(std::uint64_t key) {
    std::lock_guard lock(mutex_);
    keys_.push_back(key);
    changed_.notify_one();
  }

  // Everything that was pushed; waits for something. Empty once closed.
  std::vector<std::uint64_t> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !keys_.empty(); });
    if (closed_) return {};
    return std::exchange(keys_, {});
  }

  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint64_t> keys_;
  bool closed_ = false;
};

}  // namespace chorus::python

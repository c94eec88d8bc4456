#include "core/thread_team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace chorus {
namespace {

constexpr int kSpins = 2000;  // about 50 microseconds: longer than a phase of a step, usually

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

// A team with more members than processors must not spin: it would keep away the one that it
// awaits.
ThreadTeam::ThreadTeam(std::size_t size) : spins_(size <= available_processors() ? kSpins : 0) {
  for (std::size_t index = 1; index < size; ++index) {
    threads_.emplace_back([this, index] { serve(index); });
  }
}

ThreadTeam::~ThreadTeam() {
  stop_.store(true, std::memory_order_relaxed);
  step_.fetch_add(1, std::memory_order_release);
  step_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::run(const std::function<void(Member&)>& work) {
  work_ = &work;
  step_.fetch_add(1, std::memory_order_release);
  step_.notify_all();
  Member self(this, 0);
  work(self);
  barrier();
}

void ThreadTeam::serve(std::size_t index) {
  Member self(this, index);
  for (std::uint32_t seen = 0;; ++seen) {
    await_change(step_, seen);
    if (stop_.load(std::memory_order_relaxed)) return;
    (*work_)(self);
    barrier();
  }
}

void ThreadTeam::barrier() {
  std::uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size()) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    phase_.notify_all();
  } else {
    await_change(phase_, phase);
  }
}

void ThreadTeam::await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) const {
  for (int spin = 0; spin < spins_; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace chorus

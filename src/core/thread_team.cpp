#include "core/thread_team.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace chorus {
namespace {

using Clock = std::chrono::steady_clock;

// How long a member spins before it sleeps. Longer than what one thread does alone between two
// steps (planning, and telling whoever reads: tens of microseconds), so that steps in a row cost no
// waking; far shorter than a scheduler's time slice (milliseconds), so that a member that awaits
// one which another process keeps from running soon gives its own processor away.
constexpr std::chrono::microseconds kSpinTime{200};
constexpr int kSpinsBetweenClocks = 32;  // pauses: about a microsecond

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

// The kernel's struct sched_attr (sched_setattr(2)), whose header contradicts <sched.h>.
struct SchedulingAttributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime, deadline, period;  // nanoseconds
};

// Asks for short time slices: what a thread gets in all stays the same, but once woken it runs
// sooner, and members that other work interrupts meet again sooner. Linux 6.12 or later; others
// ignore it.
void ask_for_short_slices() {
  constexpr std::uint64_t kSliceNanoseconds = 100'000;  // the least that the kernel grants
  SchedulingAttributes attributes{};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0u) != 0) return;
  if (attributes.policy != SCHED_OTHER && attributes.policy != SCHED_BATCH) return;
  attributes.runtime = kSliceNanoseconds;
  static_cast<void>(::syscall(SYS_sched_setattr, 0, &attributes, 0u));
}

// Pinning is for speed alone: where the system refuses it, the thread runs as it did.
void pin(pthread_t thread, int processor) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(static_cast<std::size_t>(processor), &mask);
  static_cast<void>(::pthread_setaffinity_np(thread, sizeof(mask), &mask));
}

}  // namespace

// A team with more members than processors must not spin: it would keep away the one that it
// awaits.
ThreadTeam::ThreadTeam(std::size_t size, bool pinned)
    : spin_time_(size <= available_processors() ? kSpinTime : kSpinTime.zero()) {
  if (pinned) processors_ = processors_in_mask();
  if (processors_.size() != size || size == 1) processors_.clear();
  for (std::size_t index = 1; index < size; ++index) {
    threads_.emplace_back([this, index] { serve(index); });
    if (!processors_.empty()) pin(threads_.back().native_handle(), processors_[index]);
  }
}

void ThreadTeam::pin_calling_thread() {
  ask_for_short_slices();
  if (!processors_.empty()) pin(::pthread_self(), processors_[0]);
}

ThreadTeam::~ThreadTeam() {
  stop_.store(true, std::memory_order_relaxed);
  runs_.fetch_add(1, std::memory_order_release);
  runs_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::run(const std::function<void(Member&)>& work) {
  work_ = &work;
  runs_.fetch_add(1, std::memory_order_release);
  runs_.notify_all();
  Member self(this, 0);
  work(self);
  barrier();
}

void ThreadTeam::serve(std::size_t index) {
  ask_for_short_slices();
  Member self(this, index);
  for (std::uint32_t seen = 0;; ++seen) {
    await_change(runs_, seen);
    if (stop_.load(std::memory_order_relaxed)) return;
    (*work_)(self);
    barrier();
  }
}

void ThreadTeam::barrier() {
  std::uint32_t ended = ended_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size()) {
    arrived_.store(0, std::memory_order_relaxed);
    ended_.store(ended + 1, std::memory_order_release);
    ended_.notify_all();
  } else {
    await_change(ended_, ended);
  }
}

void ThreadTeam::add_and_await(std::atomic<std::uint32_t>& value, std::uint32_t more,
                               std::uint32_t target) {
  std::uint32_t now = more == 0 ? value.load(std::memory_order_acquire)
                                : value.fetch_add(more, std::memory_order_acq_rel) + more;
  if (more > 0 && now == target) value.notify_all();
  for (; now != target; now = value.load(std::memory_order_acquire)) await_change(value, now);
}

void ThreadTeam::await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) const {
  if (spin_time_ > spin_time_.zero()) {
    Clock::time_point end = Clock::now() + spin_time_;
    do {
      for (int spin = 0; spin < kSpinsBetweenClocks; ++spin) {
        if (value.load(std::memory_order_acquire) != old) return;
        relax();
      }
    } while (Clock::now() < end);
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace chorus

// A team of threads that work on one computation at a time: every member, the calling thread among
// them, runs the same function, and run() returns when all have ended it. How they share what there
// is to do is no matter of the team: see work_stealing.h, or a member's share(). Members spin
// briefly for what they await and then sleep, so an idle team uses no processor.
//
// Thread contract: one thread at a time may call run(), and a team's function may not call it
// again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "core/processors.h"

namespace chorus {

struct Range {
  std::size_t begin, end;
};

class ThreadTeam {
 public:
  // One member's view of the run it is in.
  class Member {
   public:
    std::size_t index() const { return index_; }
    std::size_t count() const { return team_->size(); }
    // This member's share of [0, n): contiguous, shares differ by at most one.
    Range share(std::size_t n) const { return share_of(index_, n); }
    Range share_of(std::size_t member, std::size_t n) const {
      return {n * member / count(), n * (member + 1) / count()};
    }
    // Adds to `value` and returns when it has reached `target`, by additions of any member; what
    // each wrote before its own is visible after.
    void add_and_await(std::atomic<std::uint32_t>& value, std::uint32_t more,
                       std::uint32_t target) {
      team_->add_and_await(value, more, target);
    }

   private:
    friend class ThreadTeam;
    Member(ThreadTeam* team, std::size_t index) : team_(team), index_(index) {}
    ThreadTeam* team_;
    std::size_t index_;
  };

  // `size` is at least 1, the caller of run() included. With `pin` each member has one processor of
  // the affinity mask that the constructing thread has now, if there are as many: a team that
  // leaves processors to others must not choose which, since others would choose the same.
  explicit ThreadTeam(std::size_t size, bool pin = false);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  std::size_t size() const { return threads_.size() + 1; }

  // Makes the calling thread, for good, like the other members: bound to member 0's processor if
  // the team is pinned, with the short time slices that all members ask for. For a thread that does
  // little but call run(); threads that it starts from then on inherit this.
  void pin_calling_thread();

  // Runs `work` on every member and returns when all have ended it. `work` must not throw.
  void run(const std::function<void(Member&)>& work);

 private:
  void serve(std::size_t index);
  // The end of a run: returns when every member has come to it.
  void barrier();
  void add_and_await(std::atomic<std::uint32_t>& value, std::uint32_t more, std::uint32_t target);
  // Waits until `value` is no longer `old`: spins, then sleeps.
  void await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) const;

  std::vector<int> processors_;  // each member's; empty: not pinned
  std::chrono::nanoseconds spin_time_;
  std::atomic<std::uint32_t> runs_{0};     // counts runs; a change starts the members
  std::atomic<std::uint32_t> arrived_{0};  // members at the end of the run
  std::atomic<std::uint32_t> ended_{0};    // counts runs ended
  std::atomic<bool> stop_{false};
  const std::function<void(Member&)>* work_ = nullptr;  // written before runs_ changes
  std::vector<std::thread> threads_;
};

}  // namespace chorus

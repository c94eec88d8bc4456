// A team of threads that work on one step at a time: every member, the calling thread among them,
// runs the same function and meets the others at barriers. Members spin briefly for the next step
// and then sleep, so an idle team uses no processor.
//
// Thread contract: one thread at a time may call run(), and a team's function may not call it
// again.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace chorus {

struct Range {
  std::size_t begin, end;
};

class ThreadTeam {
 public:
  // One member's view of the step it is in.
  class Member {
   public:
    std::size_t index() const { return index_; }
    std::size_t count() const { return team_->size(); }
    // This member's share of [0, n): contiguous, shares differ by at most one.
    Range share(std::size_t n) const { return {n * index_ / count(), n * (index_ + 1) / count()}; }
    // Returns when every member has called it; what each wrote before is visible to all after.
    void barrier() { team_->barrier(); }

   private:
    friend class ThreadTeam;
    Member(ThreadTeam* team, std::size_t index) : team_(team), index_(index) {}
    ThreadTeam* team_;
    std::size_t index_;
  };

  explicit ThreadTeam(std::size_t size);  // at least 1, the caller included
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  std::size_t size() const { return threads_.size() + 1; }

  // Runs `work` on every member and returns when all have ended it. `work` must not throw.
  void run(const std::function<void(Member&)>& work);

 private:
  void serve(std::size_t index);
  void barrier();
  // Waits until `value` is no longer `old`: spins, then sleeps.
  void await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) const;

  int spins_;
  std::atomic<std::uint32_t> step_{0};     // counts runs; a change starts the members
  std::atomic<std::uint32_t> arrived_{0};  // members at the barrier
  std::atomic<std::uint32_t> phase_{0};    // counts barriers passed
  std::atomic<bool> stop_{false};
  const std::function<void(Member&)>* work_ = nullptr;  // written before step_ changes
  std::vector<std::thread> threads_;
};

// The processors that this process may use: its affinity mask, and the CPU quota of its cgroup (v1
// or v2) rounded up, whichever is less. At least 1.
std::size_t available_processors();

}  // namespace chorus

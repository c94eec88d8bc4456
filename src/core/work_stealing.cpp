#include "core/work_stealing.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <vector>

namespace chorus {
namespace {

// How far a run has come. A member that is held up may still look at a phase that the others have
// left behind, so each phase has counters of its own.
class Progress {
 public:
  Progress(std::size_t members, std::span<const Phase> phases)
      : phases_(phases), taken_(members * phases.size()), done_(phases.size()) {
    for ([[maybe_unused]] const Phase& phase : phases) {
      assert(phase.piece > 0 && phase.items < UINT32_MAX);
    }
  }

  void run(ThreadTeam::Member& member) {
    for (std::size_t i = 0; i < phases_.size(); ++i) run_phase(i, member);
  }

 private:
  void run_phase(std::size_t index, ThreadTeam::Member& member) {
    const Phase& phase = phases_[index];
    std::size_t done = 0;
    for (std::size_t i = 0; i < member.count(); ++i) {
      std::size_t owner = (member.index() + i) % member.count();
      Range share = member.share_of(owner, phase.items);
      std::atomic<std::size_t>& taken = taken_[owner * phases_.size() + index];
      while (taken.load(std::memory_order_relaxed) < share.end - share.begin) {
        std::size_t begin = share.begin + taken.fetch_add(phase.piece, std::memory_order_relaxed);
        if (begin >= share.end) break;
        Range piece{begin, std::min(begin + phase.piece, share.end)};
        phase.work(piece, member.index());
        done += piece.end - piece.begin;
      }
    }
    member.add_and_await(done_[index], static_cast<std::uint32_t>(done),
                         static_cast<std::uint32_t>(phase.items));
  }

  std::span<const Phase> phases_;
  std::vector<std::atomic<std::size_t>> taken_;   // [members][phases]: items of each one's share
  std::vector<std::atomic<std::uint32_t>> done_;  // [phases]: items
};

}  // namespace

void run_phases(ThreadTeam& team, std::span<const Phase> phases,
                const std::function<void()>& first) {
  Progress progress(team.size(), phases);
  team.run([&progress, &first](ThreadTeam::Member& member) {
    if (first && member.index() == 0) first();
    progress.run(member);
  });
}

}  // namespace chorus

// The items of a step's phases, dealt to a team's members. Each takes pieces of its own share first
// and then of what others have left of theirs: a member that is held up, by another program or a
// slow memory, holds up the others by one piece at most, and else each meets the same items (and
// finds them in its cache) at every step.
//
// Thread contract: one Deal for each step, one Hand for each member, whose calls of deal() are the
// same in number and order as the other members', with a barrier before items of one phase are read
// in another.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <vector>

#include "core/thread_team.h"

namespace chorus {

class Deal {
 public:
  Deal(std::size_t members, std::size_t phases) : phases_(phases), taken_(members * phases) {}

  class Hand {
   public:
    Hand(Deal& deal, ThreadTeam::Member& member) : deal_(deal), member_(member) {}

    std::size_t index() const { return member_.index(); }
    void barrier() { member_.barrier(); }

    // The next phase: calls work(Range) for pieces of [0, items), of `piece` items or fewer, until
    // no member has any left to begin.
    template <class Work>
    void deal(std::size_t items, std::size_t piece, const Work& work) {
      std::size_t phase = phase_++;
      for (std::size_t i = 0; i < member_.count(); ++i) {
        std::size_t owner = (member_.index() + i) % member_.count();
        Range share = member_.share_of(owner, items);
        std::atomic<std::size_t>& taken = deal_.taken_[owner * deal_.phases_ + phase];
        while (taken.load(std::memory_order_relaxed) < share.end - share.begin) {
          std::size_t begin = share.begin + taken.fetch_add(piece, std::memory_order_relaxed);
          if (begin < share.end) work(Range{begin, std::min(begin + piece, share.end)});
        }
      }
    }

   private:
    Deal& deal_;
    ThreadTeam::Member& member_;
    std::size_t phase_ = 0;
  };

 private:
  std::size_t phases_;
  std::vector<std::atomic<std::size_t>> taken_;  // [members][phases]: items of each one's share
};

}  // namespace chorus

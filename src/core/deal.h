// The items of a step's phases, dealt to a team's members. Each takes pieces of its own share first
// and then of what others have left of theirs, and the next phase begins as soon as all items are
// done: a member that is held up, by another program or a slow memory, holds up the others by the
// piece that it is at, and by nothing while it has none. Else each meets the same items, and finds
// them in its cache, at every step.
//
// Thread contract: one Deal for each run of a team, one Hand for each member, whose calls of deal()
// are the same as the other members', in number, order and items.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/thread_team.h"

namespace chorus {

class Deal {
 public:
  Deal(std::size_t members, std::size_t phases)
      : phases_(phases), taken_(members * phases), done_(phases) {}

  class Hand {
   public:
    Hand(Deal& deal, ThreadTeam::Member& member) : deal_(deal), member_(member) {}

    std::size_t index() const { return member_.index(); }

    // The next phase: calls work(Range) for pieces of [0, items), of `piece` items or fewer, and
    // returns when all members' pieces are done; what they wrote is visible then. Fewer than 2^32
    // items.
    template <class Work>
    void deal(std::size_t items, std::size_t piece, const Work& work) {
      std::size_t phase = phase_++, done = 0;
      for (std::size_t i = 0; i < member_.count(); ++i) {
        std::size_t owner = (member_.index() + i) % member_.count();
        Range share = member_.share_of(owner, items);
        std::atomic<std::size_t>& taken = deal_.taken_[owner * deal_.phases_ + phase];
        while (taken.load(std::memory_order_relaxed) < share.end - share.begin) {
          std::size_t begin = share.begin + taken.fetch_add(piece, std::memory_order_relaxed);
          if (begin >= share.end) break;
          Range range{begin, std::min(begin + piece, share.end)};
          work(range);
          done += range.end - range.begin;
        }
      }
      member_.add_and_await(deal_.done_[phase], static_cast<std::uint32_t>(done),
                            static_cast<std::uint32_t>(items));
    }

   private:
    Deal& deal_;
    ThreadTeam::Member& member_;
    std::size_t phase_ = 0;
  };

 private:
  std::size_t phases_;
  std::vector<std::atomic<std::size_t>> taken_;   // [members][phases]: items of each one's share
  std::vector<std::atomic<std::uint32_t>> done_;  // [phases]: items
};

}  // namespace chorus

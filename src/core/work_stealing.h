// Work stealing: how the members of a thread team share a computation that has phases.
//
// A phase is a loop over items, which is cut into pieces. Each member begins with its own share of
// the items, which is the same at every run, so that it finds them in its processor's cache. A
// member that has finished its share steals pieces of what the others have left of theirs. The next
// phase begins when all items of the one before are done, whoever has done them: members do not
// wait for each other. So one that is held up, by another program or by a slow memory, holds up the
// others by the piece that it is working on, and not at all while it works on none.
//
// Thread contract: run_phases() is ThreadTeam::run(), with the same contract. The work of a phase
// is called by several members at once, for different items.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "core/thread_team.h"

namespace chorus {

struct Phase {
  std::size_t items;  // fewer than 2^32
  std::size_t piece;  // how many items a member takes at a time, at most; at least 1
  // Does a piece of the items, as member `member` of the team. Must not throw.
  std::function<void(Range items, std::size_t member)> work;
};

// Runs the phases, one after the other, and returns when all are done. What the work of a phase has
// written is visible to that of the next, and to the caller. `first` is what the calling thread does
// before it takes part, while the others compute already. Throws std::bad_alloc before any of it.
void run_phases(ThreadTeam& team, std::span<const Phase> phases,
                const std::function<void()>& first = {});

}  // namespace chorus

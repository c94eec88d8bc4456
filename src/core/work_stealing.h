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
#include <new>
#include <span>
#include <type_traits>

#include "core/thread_team.h"

namespace chorus {

// A small function object, held in place: a step is a list of some tens of phases, made anew each time, and
// to allot memory for each of them took a sixteenth of a small model's step.
class PhaseWork {
 public:
  template <class Function>
  PhaseWork(Function function) : call_(call<Function>) {
    static_assert(std::is_trivially_copyable_v<Function>, "captures references and numbers alone");
    static_assert(sizeof(Function) <= sizeof(object_) && alignof(Function) <= alignof(void*));
    ::new (static_cast<void*>(object_)) Function(function);
  }
  void operator()(Range items, std::size_t member) const { call_(object_, items, member); }

 private:
  template <class Function>
  static void call(const void* object, Range items, std::size_t member) {
    (*static_cast<const Function*>(object))(items, member);
  }

  alignas(void*) std::byte object_[8 * sizeof(void*)];
  void (*call_)(const void* object, Range items, std::size_t member);
};

struct Phase {
  std::size_t items;  // fewer than 2^32
  std::size_t piece;  // how many items a member takes at a time, at most; at least 1
  // Does a piece of the items, as member `member` of the team. Must not throw.
  PhaseWork work;
};

// Runs the phases, one after the other, and returns when all are done. What the work of a phase has
// written is visible to that of the next, and to the caller. `first` is what the calling thread does
// before it takes part, while the others compute already. Throws std::bad_alloc before any of it.
void run_phases(ThreadTeam& team, std::span<const Phase> phases,
                const std::function<void()>& first = {});

}  // namespace chorus

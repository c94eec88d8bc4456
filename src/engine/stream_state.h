// What a Stream and the engine share: the events on their way, and the wish to cancel.
//
// Thread contract: deliver(), fail() and finish() are the engine's thread's; the rest is anyone's.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "chorus/stream.h"
#include "core/mutex.h"

namespace chorus {

struct Stream::State {
  // `wake` makes the engine look at what is cancelled; it outlives the engine.
  State(EventCallback callback, std::function<void()> wake, std::int32_t samples)
      : cancelled_samples(static_cast<std::size_t>(samples)),
        on_event(std::move(callback)),
        wake_engine(std::move(wake)) {}

  // Throws std::bad_alloc; then the event is lost.
  void deliver(Event event);
  // In place of any further event: there is no memory. Needs none itself.
  void fail();
  // After the last event.
  void finish();
  void cancel();
  void cancel(std::int32_t sample);
  // The Stream is going away: no callback from now on.
  void detach();
  std::optional<Event> next(bool wait);
  // finish() has been called.
  bool has_finished();

  std::atomic<bool> cancelled = false;
  std::vector<std::atomic<bool>> cancelled_samples;  // by number

 private:
  // Held while the callback runs. Recursive, since the callback may destroy the Stream.
  RecursiveMutex callback_turn;
  EventCallback on_event CHORUS_GUARDED_BY(callback_turn);
  bool detached CHORUS_GUARDED_BY(callback_turn) = false;

  Mutex mutex;
  Condition changed;
  std::deque<Event> events CHORUS_GUARDED_BY(mutex);
  std::optional<Event> failure CHORUS_GUARDED_BY(mutex);  // behind them
  bool finished CHORUS_GUARDED_BY(mutex) = false;

  const std::function<void()> wake_engine;
};

}  // namespace chorus

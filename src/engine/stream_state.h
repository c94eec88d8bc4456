// What a Stream and the engine share: the events on their way, and the wish to cancel.
//
// Thread contract: deliver() and finish() are the engine's thread's; the rest is anyone's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "chorus/stream.h"

namespace chorus {

struct Stream::State {
  // `wake` makes the engine look at `cancelled`; it outlives the engine.
  State(EventCallback callback, std::function<void()> wake)
      : on_event(std::move(callback)), wake_engine(std::move(wake)) {}

  void deliver(Event event);
  // After the last event.
  void finish();
  void cancel();
  // The Stream is going away: no callback from now on.
  void detach();
  std::optional<Event> next(bool wait);

  std::atomic<bool> cancelled = false;

 private:
  // Held while the callback runs. Recursive, since the callback may destroy the Stream.
  std::recursive_mutex callback_turn;
  EventCallback on_event;
  bool detached = false;

  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::deque<Event> events;
  bool finished = false;

  const std::function<void()> wake_engine;
};

}  // namespace chorus

// The events of one submitted request.
//
// Thread contract: next() and try_next() from one thread at a time; cancel() from any. A Stream may
// outlive its Engine, which ends it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "chorus/export.h"
#include "chorus/request.h"

namespace chorus {

// Called on the engine's own thread, for one event after the other: it must be brief (all other
// requests wait for it) and may destroy or cancel the Stream. Of exceptions it may throw
// std::bad_alloc alone, which ends the request (kOutOfMemory).
using EventCallback = std::function<void(Event event)>;

class CHORUS_EXPORT Stream {
 public:
  Stream() = default;  // of nothing: next() is empty
  // Cancels what has not ended. When it returns, the callback is not running (unless it is the
  // caller) and will not run again.
  ~Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;

  // Waits for the next event; empty after the last. A stream that was submitted with a callback has
  // no events here.
  std::optional<Event> next();
  // Does not wait: empty also when there is none yet.
  std::optional<Event> try_next();

  // Frees everything the request holds before the next step; its samples end as kCancelled, unless
  // they have ended already.
  void cancel();
  // The same for one sample alone; the others' texts stay what they were. Sample 0 reads a prompt that is
  // to be told to its end first. Of no effect for a sample that there is not, and with one_stream, where
  // the next sample's random numbers begin where the one before has ended.
  void cancel(std::int32_t sample);

  struct CHORUS_HIDDEN State;  // the engine's side

 private:
  friend class Engine;
  explicit Stream(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace chorus

// A wish to end requests, from a thread that does not hold their Streams: what waits in Engine::complete(),
// generate() or score() is ended so.
//
// Thread contract: any thread may call any function. It may outlive its Engine.
#pragma once

#include <memory>

#include "chorus/export.h"

namespace chorus {

class CHORUS_EXPORT Cancellation {
 public:
  Cancellation();
  ~Cancellation();
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  // Cancels every request that was submitted with it, as Stream::cancel() does, and all that will be.
  void cancel();

 private:
  friend class Engine;
  struct CHORUS_HIDDEN State;
  std::unique_ptr<State> state_;
};

}  // namespace chorus

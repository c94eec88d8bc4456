// The streams that a Cancellation ends.
#pragma once

#include <memory>
#include <vector>

#include "chorus/cancellation.h"
#include "core/mutex.h"
#include "engine/stream_state.h"

namespace chorus {

struct Cancellation::State {
  // Cancels it at once if all are.
  void add(const std::shared_ptr<Stream::State>& stream);
  void cancel();

 private:
  Mutex mutex;
  bool cancelled CHORUS_GUARDED_BY(mutex) = false;
  std::vector<std::weak_ptr<Stream::State>> streams CHORUS_GUARDED_BY(mutex);
};

}  // namespace chorus

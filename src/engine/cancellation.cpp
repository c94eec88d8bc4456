#include "engine/cancellation.h"

#include <algorithm>
#include <utility>

namespace chorus {

Cancellation::Cancellation() : state_(std::make_unique<State>()) {}
Cancellation::~Cancellation() = default;
void Cancellation::cancel() { state_->cancel(); }

void Cancellation::State::add(const std::shared_ptr<Stream::State>& stream) {
  bool now = false;
  {
    Lock lock(mutex);
    now = cancelled;
    // Those that have ended are forgotten when there is no room for another: a vector's growth.
    if (streams.size() == streams.capacity()) {
      std::erase_if(streams, [](const auto& other) { return other.expired(); });
    }
    if (!now) streams.push_back(stream);
  }
  if (now) stream->cancel();
}

void Cancellation::State::cancel() {
  std::vector<std::weak_ptr<Stream::State>> all;
  {
    Lock lock(mutex);
    cancelled = true;
    all = std::exchange(streams, {});
  }
  for (const auto& weak : all) {
    if (auto stream = weak.lock()) stream->cancel();
  }
}

}  // namespace chorus

#include "chorus/stream.h"

#include <utility>

#include "core/out_of_memory.h"
#include "engine/stream_state.h"

namespace chorus {

void Stream::State::deliver(Event event) {
  {
    Lock turn(callback_turn);
    if (on_event) {
      if (!detached) on_event(std::move(event));
      return;
    }
  }
  {
    Lock lock(mutex);
    events.push_back(std::move(event));
  }
  changed.notify_all();  // without the lock: who is woken would wait for it at once
}

void Stream::State::fail() {
  Event event{.kind = Event::Kind::kError, .last = true};
  event.error = out_of_memory();
  {
    Lock turn(callback_turn);
    if (on_event) {
      try {
        if (!detached) on_event(std::move(event));
      } catch (const std::bad_alloc&) {  // it sees the end of the events, at least
      }
      return;
    }
  }
  Lock lock(mutex);
  failure = std::move(event);
}

// The callback may own what owns the Stream: it goes when nothing can be delivered any more.
void Stream::State::finish() {
  EventCallback callback;
  {
    Lock turn(callback_turn);
    callback.swap(on_event);
  }
  Lock lock(mutex);
  finished = true;
  changed.notify_all();
}

// Most streams are dropped when they have ended, and there is nothing left to cancel.
void Stream::State::cancel() {
  if (!cancelled.exchange(true) && !has_finished()) wake_engine();
}

bool Stream::State::has_finished() {
  Lock lock(mutex);
  return finished;
}

void Stream::State::cancel(std::int32_t sample) {
  auto number = static_cast<std::size_t>(sample);
  if (sample < 0 || number >= cancelled_samples.size()) return;
  if (!cancelled_samples[number].exchange(true)) wake_engine();
}

void Stream::State::detach() {
  Lock turn(callback_turn);
  detached = true;
}

std::optional<Event> Stream::State::next(bool wait) {
  Lock lock(mutex);
  while (wait && !finished && events.empty()) changed.wait(mutex);
  if (events.empty()) return std::exchange(failure, std::nullopt);
  std::optional<Event> event(std::move(events.front()));
  events.pop_front();
  return event;
}

Stream::Stream(std::shared_ptr<State> state) : state_(std::move(state)) {}
Stream::Stream(Stream&&) noexcept = default;

Stream& Stream::operator=(Stream&& other) noexcept {
  Stream old(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}

Stream::~Stream() {
  if (state_ == nullptr) return;
  state_->detach();
  state_->cancel();
}

std::optional<Event> Stream::next() {
  return state_ == nullptr ? std::nullopt : state_->next(true);
}
std::optional<Event> Stream::try_next() {
  return state_ == nullptr ? std::nullopt : state_->next(false);
}
void Stream::cancel() {
  if (state_ != nullptr) state_->cancel();
}

void Stream::cancel(std::int32_t sample) {
  if (state_ != nullptr) state_->cancel(sample);
}

}  // namespace chorus

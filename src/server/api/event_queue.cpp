#include "server/api/event_queue.h"

#include <new>
#include <utility>

namespace chorus::server {
namespace {

std::size_t bytes_of(const Event& event) {
  std::size_t bytes = sizeof(QueuedEvent) + event.text.size();
  bytes += event.token.top.size() * sizeof(TokenLogprob);
  for (const TokenInfo& token : event.prompt) {
    bytes += sizeof(TokenInfo) + token.top.size() * sizeof(TokenLogprob);
  }
  return bytes;
}

}  // namespace

EventQueue::EventQueue(const boost::asio::io_context::executor_type& executor,
                       std::function<void(std::size_t)> wake)
    : executor_(executor), wake_(std::move(wake)) {}

EventCallback EventQueue::callback(std::size_t request) {
  return
      [self = shared_from_this(), request](Event event) { self->push(request, std::move(event)); };
}

void EventQueue::push(std::size_t request, Event event) {
  Lock lock(mutex_);
  std::size_t bytes = bytes_of(event);
  try {
    events_.push_back({request, std::move(event), std::chrono::steady_clock::now()});
    bytes_ += bytes;
  } catch (const std::bad_alloc&) {
    has_lost_ = true;
  }
  if (std::exchange(is_posted_, true)) return;
  slot_.post(executor_, [self = shared_from_this()] {
    std::size_t waiting = 0;
    {
      Lock again(self->mutex_);
      self->is_posted_ = false;
      waiting = self->bytes_;
    }
    if (self->wake_) self->wake_(waiting);
  });
}

bool EventQueue::has_lost() const {
  Lock lock(mutex_);
  return has_lost_;
}

std::vector<QueuedEvent> EventQueue::take() {
  Lock lock(mutex_);
  bytes_ = 0;
  return std::exchange(events_, {});
}

}  // namespace chorus::server

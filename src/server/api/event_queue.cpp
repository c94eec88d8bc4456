#include "server/api/event_queue.h"

#include <boost/asio/post.hpp>
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

EventQueue::EventQueue(boost::asio::any_io_executor executor, std::function<void(std::size_t)> wake)
    : executor_(std::move(executor)), wake_(std::move(wake)) {}

EventCallback EventQueue::callback(std::size_t request) {
  return
      [self = shared_from_this(), request](Event event) { self->push(request, std::move(event)); };
}

void EventQueue::push(std::size_t request, Event event) {
  Lock lock(mutex_);
  bytes_ += bytes_of(event);
  events_.push_back({request, std::move(event), std::chrono::steady_clock::now()});
  if (std::exchange(is_posted_, true)) return;
  boost::asio::post(executor_, [self = shared_from_this()] {
    std::size_t bytes = 0;
    {
      Lock again(self->mutex_);
      self->is_posted_ = false;
      bytes = self->bytes_;
    }
    if (self->wake_) self->wake_(bytes);
  });
}

std::vector<QueuedEvent> EventQueue::take() {
  Lock lock(mutex_);
  bytes_ = 0;
  return std::exchange(events_, {});
}

}  // namespace chorus::server

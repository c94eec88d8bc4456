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
                       std::function<void(std::size_t)> wake, std::shared_ptr<EventBatch> batch)
    : executor_(executor), wake_(std::move(wake)), batch_(std::move(batch)) {}

EventCallback EventQueue::callback(std::size_t request) {
  return
      [self = shared_from_this(), request](Event event) { self->push(request, std::move(event)); };
}

void EventQueue::push(std::size_t request, Event event) {
  {
    Lock lock(mutex_);
    std::size_t bytes = bytes_of(event);
    try {
      events_.push_back({request, std::move(event), std::chrono::steady_clock::now()});
      bytes_ += bytes;
    } catch (const std::bad_alloc&) {
      has_lost_ = true;
    }
    if (std::exchange(is_posted_, true)) return;
  }
  // Without the lock: who is woken would wait for it at once.
  if (batch_ != nullptr) {
    batch_->add(shared_from_this());
  } else {
    post(shared_from_this());
  }
}

void EventQueue::post(std::shared_ptr<EventQueue> first) {
  EventQueue& holder = *first;
  holder.slot_.post(holder.executor_, [queue = std::move(first)]() mutable {
    while (queue != nullptr) {
      std::shared_ptr<EventQueue> next = std::move(queue->next_);
      queue->wake();
      queue = std::move(next);
    }
  });
}

// One whose connection finds no memory must not keep the others from being woken.
void EventQueue::wake() {
  std::size_t waiting = 0;
  {
    Lock lock(mutex_);
    is_posted_ = false;
    waiting = bytes_;
  }
  try {
    if (wake_) wake_(waiting);
  } catch (const std::bad_alloc&) {
  }
}

void EventBatch::add(std::shared_ptr<EventQueue> queue) {
  std::shared_ptr<EventQueue>* end = &queue->next_;
  *end_ = std::move(queue);
  end_ = end;
}

void EventBatch::pass_on() {
  while (first_ != nullptr) {
    std::shared_ptr<EventQueue> head = std::move(first_);
    std::shared_ptr<EventQueue> queue = std::move(head->next_);
    std::shared_ptr<EventQueue>* end = &head->next_;  // of those of the head's loop
    end_ = &first_;                                   // of the others
    while (queue != nullptr) {
      std::shared_ptr<EventQueue> next = std::move(queue->next_);
      std::shared_ptr<EventQueue>*& list = queue->executor_ == head->executor_ ? end : end_;
      *list = std::move(queue);
      list = &(*list)->next_;
      queue = std::move(next);
    }
    EventQueue::post(std::move(head));
  }
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

// Events of the engine's requests on their way from the engine's thread to a connection's.
//
// Thread contract: callback()'s functions run on the engine's thread; everything else on the
// connection's. It is kept alive by whoever may still call it. An EventBatch is its engine's thread's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "chorus/request.h"
#include "chorus/stream.h"
#include "core/mutex.h"
#include "server/http/handler_slot.h"

namespace chorus::server {

struct QueuedEvent {
  std::size_t request;  // which of several it belongs to
  Event event;
  std::chrono::steady_clock::time_point time;
};

class EventQueue;

// The queues of an engine that have events of which their connections do not know yet. They are told
// together, each loop once: one for each event would take the engine's processor from it every time.
class EventBatch {
 public:
  void add(std::shared_ptr<EventQueue> queue);
  void pass_on();

 private:
  std::shared_ptr<EventQueue> first_;
  std::shared_ptr<EventQueue>* end_ = &first_;
};

class EventQueue : public std::enable_shared_from_this<EventQueue> {
 public:
  // `wake` is called on the executor when there are events, with roughly how many bytes they take,
  // until detach(): when the batch is passed on, or without one at once.
  EventQueue(const boost::asio::io_context::executor_type& executor,
             std::function<void(std::size_t bytes)> wake, std::shared_ptr<EventBatch> batch = {});

  EventCallback callback(std::size_t request);
  std::vector<QueuedEvent> take();
  // Whether there was no memory for an event, which is lost then. The wake comes all the same.
  bool has_lost() const;
  void detach() { wake_ = nullptr; }

 private:
  friend class EventBatch;
  void push(std::size_t request, Event event);
  void wake();
  // Wakes the connections of a list of queues, which have one loop.
  static void post(std::shared_ptr<EventQueue> first);

  boost::asio::io_context::executor_type executor_;
  std::function<void(std::size_t)> wake_;  // the connection's thread's
  const std::shared_ptr<EventBatch> batch_;
  std::shared_ptr<EventQueue> next_;  // in a batch or a list; whose that is

  mutable Mutex mutex_;
  std::vector<QueuedEvent> events_ CHORUS_GUARDED_BY(mutex_);
  std::size_t bytes_ CHORUS_GUARDED_BY(mutex_) = 0;
  bool is_posted_ CHORUS_GUARDED_BY(mutex_) = false;  // a wake is on its way
  bool has_lost_ CHORUS_GUARDED_BY(mutex_) = false;
  HandlerSlot slot_;  // the wake's
};

}  // namespace chorus::server

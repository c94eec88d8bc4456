// Events of the engine's requests on their way from the engine's thread to a connection's.
//
// Thread contract: callback()'s functions run on the engine's thread; everything else on the
// connection's. It is kept alive by whoever may still call it.
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

class EventQueue : public std::enable_shared_from_this<EventQueue> {
 public:
  // `wake` is called on the executor when there are events, with roughly how many bytes they take,
  // until detach().
  EventQueue(const boost::asio::io_context::executor_type& executor,
             std::function<void(std::size_t bytes)> wake);

  EventCallback callback(std::size_t request);
  std::vector<QueuedEvent> take();
  // Whether there was no memory for an event, which is lost then. The wake comes all the same.
  bool has_lost() const;
  void detach() { wake_ = nullptr; }

 private:
  void push(std::size_t request, Event event);

  boost::asio::io_context::executor_type executor_;
  std::function<void(std::size_t)> wake_;  // the connection's thread's

  mutable Mutex mutex_;
  std::vector<QueuedEvent> events_ CHORUS_GUARDED_BY(mutex_);
  std::size_t bytes_ CHORUS_GUARDED_BY(mutex_) = 0;
  bool is_posted_ CHORUS_GUARDED_BY(mutex_) = false;  // a wake is on its way
  bool has_lost_ CHORUS_GUARDED_BY(mutex_) = false;
  HandlerSlot slot_;  // the wake's
};

}  // namespace chorus::server

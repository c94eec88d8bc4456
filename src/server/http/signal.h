// Wakes one coroutine from its own thread: what a connection waits on, whatever it is that happens.
// A raise() before wait() is not lost; many of them are one. All on one thread. To raise it needs no
// memory.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "server/http/handler_slot.h"

namespace chorus::server {

class Signal {
 public:
  explicit Signal(const boost::asio::io_context::executor_type& executor)
      : executor_(executor), state_(std::make_shared<State>()) {}

  // Throws std::bad_alloc before it waits.
  boost::asio::awaitable<void> wait() {
    if (!take()) co_await next();
  }
  // The same in two parts, for who waits often: whether it is raised, which it then is no more; and,
  // only if it is not, the waiting.
  bool take() { return std::exchange(state_->raised, false); }
  boost::asio::awaitable<void> next() {
    auto keep = [state = state_.get()](Handler handler) {
      state->waiter.emplace(std::move(handler));
    };
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
        keep, boost::asio::use_awaitable);
  }

  void raise() {
    state_->raised = true;
    if (!state_->waiter || std::exchange(state_->posted, true)) return;
    state_->slot.post(executor_, [state = state_] {
      state->posted = false;
      resume(*state);
    });
  }
  // The same without a turn of the loop: the last thing that one of the loop's own handlers does.
  void raise_at_once() {
    state_->raised = true;
    if (!state_->waiter || state_->posted) return;
    std::shared_ptr<State> state = state_;  // the signal may end meanwhile
    resume(*state);
  }

 private:
  using Handler = boost::asio::async_result<boost::asio::use_awaitable_t<>, void()>::handler_type;

  struct State {
    std::optional<Handler> waiter;
    bool raised = false, posted = false;
    HandlerSlot slot;
  };

  static void resume(State& state) {
    Handler handler = std::move(*state.waiter);
    state.waiter.reset();
    state.raised = false;
    handler();
  }

  boost::asio::io_context::executor_type executor_;
  std::shared_ptr<State> state_;
};

}  // namespace chorus::server

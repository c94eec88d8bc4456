// Wakes one coroutine from its own thread: what a connection waits on, whatever it is that happens.
// A raise() before wait() is not lost; many of them are one. All on one thread. Neither to raise it
// nor to wait for it needs memory.
#pragma once

#include <boost/asio/io_context.hpp>
#include <coroutine>
#include <memory>
#include <utility>

#include "server/http/handler_slot.h"
#include "server/http/task.h"

namespace chorus::server {

class Signal {
  struct State;

 public:
  explicit Signal(const boost::asio::io_context::executor_type& executor)
      : executor_(executor), state_(std::make_shared<State>()) {}

  // To be awaited. It is not raised afterwards.
  class Wait {
   public:
    bool await_ready() noexcept { return std::exchange(state_->raised, false); }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> waiting) noexcept {
      state_->waiter = waiting.promise().flow();
      state_->waiter->wait();
    }
    void await_resume() noexcept {}

   private:
    friend class Signal;
    explicit Wait(State* state) : state_(state) {}
    State* state_;
  };
  Wait wait() { return Wait(state_.get()); }

  void raise() {
    state_->raised = true;
    if (state_->waiter == nullptr || std::exchange(state_->posted, true)) return;
    state_->slot.post(executor_, [state = state_] {
      state->posted = false;
      resume(*state);
    });
  }
  // The same without a turn of the loop: the last thing that one of the loop's own handlers does.
  void raise_at_once() {
    state_->raised = true;
    if (state_->waiter == nullptr || state_->posted) return;
    std::shared_ptr<State> state = state_;  // the signal may end meanwhile
    resume(*state);
  }

 private:
  struct State {
    Flow* waiter = nullptr;
    bool raised = false, posted = false;
    HandlerSlot slot;
  };

  static void resume(State& state) {
    state.raised = false;
    std::exchange(state.waiter, nullptr)->resume();
  }

  boost::asio::io_context::executor_type executor_;
  std::shared_ptr<State> state_;
};

}  // namespace chorus::server

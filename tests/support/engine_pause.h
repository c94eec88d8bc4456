// Holds an engine's thread between two steps: what a test submits and cancels meanwhile is there when the
// next step begins, however slow the test's own thread is.
#pragma once

#include <future>
#include <utility>

#include "chorus/engine.h"

namespace chorus::test {

// A request of its own that stops in its first event until end() or its own end. It takes a row of the
// step, so that with `step_rows` 1 everything else waits.
class EnginePause {
 public:
  explicit EnginePause(Engine& engine) {
    auto on_event = [this](Event) {
      if (std::exchange(is_held_, true)) return;
      reached_.set_value();
      released_.get_future().wait();
    };
    stream_ = std::move(engine.submit({.prompt = {1}, .max_length = 2}, on_event).assume_value());
    reached_.get_future().wait();
  }
  EnginePause(const EnginePause&) = delete;
  EnginePause& operator=(const EnginePause&) = delete;
  ~EnginePause() { end(); }

  void end() {
    if (!std::exchange(has_ended_, true)) released_.set_value();
  }

 private:
  bool is_held_ = false;  // the engine's thread's
  bool has_ended_ = false;
  std::promise<void> reached_;
  std::promise<void> released_;
  Stream stream_;
};

}  // namespace chorus::test

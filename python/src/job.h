// One submitted request as Python sees it: its samples are collected by the engine's thread as they
// grow, and waited for here. Dropping a Job cancels what has not ended.
//
// Thread contract: any thread may call any function; of two that take pieces at once, each gets some.
#pragma once

#include <nanobind/nanobind.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "chorus/engine.h"
#include "fork_guard.h"
#include "ready_queue.h"

namespace chorus::python {

// What one event of a sample tells.
struct Piece {
  std::int32_t sample;
  std::string text;
  std::optional<TokenInfo> token;
};

// Where the news of a job goes, beside the job itself.
struct Notice {
  std::shared_ptr<ReadyQueue> queue;
  std::uint64_t key = 0;
};

class Job {
 public:
  // Errors: Engine::submit()'s. With `streams`, pieces are kept for next() and take(), and there is a
  // notice whenever there are some again; else one at the end alone.
  static Result<std::unique_ptr<Job>> submit(Engine& engine, Request request, bool streams,
                                             std::optional<Notice> notice);
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // The samples, when all have ended, each as (ids, text, finish_reason, usage, tokens, prompt).
  // Cancels if a signal handler raises.
  nanobind::list result();
  // The next piece as (sample, text, token or None); None after the last.
  nanobind::object next();
  // The pieces that are there, and whether all have ended. Does not wait.
  nanobind::tuple take();
  bool done() const;
  void cancel();

 private:
  struct State;
  explicit Job(std::shared_ptr<State> state) : state_(std::move(state)) {}
  void fail_if_failed(std::unique_lock<std::mutex>& lock) const;

  ForkGuard guard_;
  std::shared_ptr<State> state_;
  Stream stream_;
};

}  // namespace chorus::python

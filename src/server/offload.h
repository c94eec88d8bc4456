// Runs a function on the server's worker thread while the connection's loop goes on. That thread gives
// way to those that compute: what is long in a request must not make others' texts slow.
#pragma once

#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/mutex.h"
#include "server/api/respond.h"
#include "server/app.h"
#include "server/http/exchange.h"
#include "server/http/handler_slot.h"
#include "server/http/signal.h"
#include "server/http/task.h"

namespace chorus::server {

// This thread, from now on: "nice" is each thread's own on Linux, and under load ten is a tenth of a
// processor.
inline void let_others_go_first() {
  static thread_local const int nice = ::nice(10);
  static_cast<void>(nice);
}

// One function's run. Shared by the coroutine that waits for it and the worker.
template <class Function>
class OffloadedJob : public std::enable_shared_from_this<OffloadedJob<Function>> {
 public:
  using Value = std::invoke_result_t<Function>;

  // `signal` is raised on the executor's thread when the function has run.
  OffloadedJob(const boost::asio::io_context::executor_type& executor, Signal signal,
               Function function)
      : executor_(executor), function_(std::move(function)), signal_(std::move(signal)) {}

  // On the worker. To tell of its end needs no memory.
  void run() {
    let_others_go_first();
    {
      Lock lock(mutex_);
      if (state_ == State::kGivenUp) return;
      state_ = State::kRunning;
    }
    try {
      value_.emplace(function_());
    } catch (...) {
      failure_ = std::current_exception();
    }
    {
      Lock lock(mutex_);
      state_ = State::kDone;
      changed_.notify_all();
    }
    slot_.post(executor_, [self = this->shared_from_this()] { self->signal_.raise(); });
  }

  // These on the coroutine's thread.
  bool is_done() {
    Lock lock(mutex_);
    return state_ == State::kDone;
  }
  Signal::Wait wait() { return signal_.wait(); }
  Value take() {
    if (failure_) std::rethrow_exception(failure_);
    return std::move(*value_);
  }
  // It will not run, unless it has begun.
  bool give_up() {
    Lock lock(mutex_);
    if (state_ == State::kQueued) state_ = State::kGivenUp;
    return state_ == State::kGivenUp;
  }
  // The function uses what the coroutine holds, which must not go before it has ended.
  void block() {
    Lock lock(mutex_);
    while (state_ == State::kQueued || state_ == State::kRunning) changed_.wait(mutex_);
  }

 private:
  enum class State { kQueued, kRunning, kDone, kGivenUp };

  boost::asio::io_context::executor_type executor_;
  Function function_;
  Signal signal_;
  HandlerSlot slot_;
  std::optional<Value> value_;
  std::exception_ptr failure_;

  Mutex mutex_;
  Condition changed_;
  State state_ CHORUS_GUARDED_BY(mutex_) = State::kQueued;
};

// Blocks at its end until the job has ended: without memory to wait, it is waited for here.
template <class Job>
struct BlockAtEnd {
  explicit BlockAtEnd(Job& its_job) : job(its_job) {}
  ~BlockAtEnd() { job.block(); }
  BlockAtEnd(const BlockAtEnd&) = delete;
  BlockAtEnd& operator=(const BlockAtEnd&) = delete;
  Job& job;
};

// Throws what the function throws, and std::bad_alloc.
template <class Function>
Task<std::invoke_result_t<Function>> offload(App& app, Exchange& exchange, Function function) {
  using Job = OffloadedJob<Function>;
  auto executor = exchange.connection().loop().context().get_executor();
  auto job = std::make_shared<Job>(executor, Signal(executor), std::move(function));
  boost::asio::post(app.workers, [job] { job->run(); });
  BlockAtEnd<Job> end(*job);
  while (!job->is_done()) co_await job->wait();
  co_return job->take();
}

// The same for an exchange's own work. Meanwhile its client's going away and the request's deadline are
// noticed: then what has not begun never does, of what has the value is dropped, and nothing is
// returned. The function is given a flag that says so while it runs.
using GivenUp = std::atomic<bool>;
template <class Function>
Task<std::optional<std::invoke_result_t<Function, const GivenUp&>>> offload_for(App& app,
                                                                                Exchange& exchange,
                                                                                Function function) {
  Connection& connection = exchange.connection();
  auto is_given_up = std::make_shared<GivenUp>(false);
  auto run = [function = std::move(function), is_given_up]() mutable {
    return function(*is_given_up);
  };
  using Job = OffloadedJob<decltype(run)>;
  auto job = std::make_shared<Job>(connection.loop().context().get_executor(), connection.signal(),
                                   std::move(run));
  boost::asio::post(app.workers, [job] { job->run(); });
  BlockAtEnd<Job> end(*job);
  while (!job->is_done()) {
    if (connection.is_gone() || connection.is_expired()) {
      *is_given_up = true;
      if (job->give_up()) co_return std::nullopt;
    }
    co_await connection.wait();
  }
  if (*is_given_up) co_return std::nullopt;
  co_return job->take();
}

// What takes longer the longer a request is, up to this many bytes of it, is done on the connection's
// loop: about a millisecond. More would hold up the loop's other connections.
inline constexpr std::size_t kMostBytesOnLoop = 16 * 1024;

// What this says of a request is done beside the loop, however short it is.
inline constexpr std::size_t kNeverOnLoop = kMostBytesOnLoop + 1;

// `function` returns an ApiResult, and depends on `bytes` of the request. Errors: also that the client
// is gone, or the request's time is over.
template <class Function>
Task<std::invoke_result_t<Function, const GivenUp&>> by_length(App& app, Exchange& exchange,
                                                               std::size_t bytes,
                                                               Function function) {
  if (bytes <= kMostBytesOnLoop) {
    const GivenUp never(false);
    co_return function(never);
  }
  auto value = co_await offload_for(app, exchange, std::move(function));
  if (value) co_return std::move(*value);
  co_return not_done(exchange);
}

}  // namespace chorus::server

// Runs a function on the server's worker thread while the connection's loop goes on.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/mutex.h"
#include "server/app.h"
#include "server/http/handler_slot.h"
#include "server/http/signal.h"

namespace chorus::server {

// One function's run. Shared by the coroutine that waits for it and the worker.
template <class Function>
class OffloadedJob : public std::enable_shared_from_this<OffloadedJob<Function>> {
 public:
  using Value = std::invoke_result_t<Function>;

  OffloadedJob(const boost::asio::io_context::executor_type& executor, Function function)
      : executor_(executor), function_(std::move(function)), signal_(executor) {}

  // On the worker. To tell of its end needs no memory.
  void run() {
    try {
      value_.emplace(function_());
    } catch (...) {
      failure_ = std::current_exception();
    }
    {
      Lock lock(mutex_);
      is_done_ = true;
      changed_.notify_all();
    }
    slot_.post(executor_, [self = this->shared_from_this()] { self->signal_.raise(); });
  }

  // On the coroutine's thread.
  bool is_done() {
    Lock lock(mutex_);
    return is_done_;
  }
  boost::asio::awaitable<void> wait() { return signal_.wait(); }
  Value take() {
    if (failure_) std::rethrow_exception(failure_);
    return std::move(*value_);
  }
  // The function uses what the coroutine holds, which must not go before it has ended.
  void block() {
    Lock lock(mutex_);
    while (!is_done_) changed_.wait(mutex_);
  }

 private:
  boost::asio::io_context::executor_type executor_;
  Function function_;
  Signal signal_;
  HandlerSlot slot_;
  std::optional<Value> value_;
  std::exception_ptr failure_;

  Mutex mutex_;
  Condition changed_;
  bool is_done_ CHORUS_GUARDED_BY(mutex_) = false;
};

// Throws what the function throws, and std::bad_alloc.
template <class Function>
boost::asio::awaitable<std::invoke_result_t<Function>> offload(App& app, Function function) {
  using Job = OffloadedJob<Function>;
  struct BlockAtEnd {
    explicit BlockAtEnd(Job& its_job) : job(its_job) {}
    ~BlockAtEnd() { job.block(); }
    BlockAtEnd(const BlockAtEnd&) = delete;
    BlockAtEnd& operator=(const BlockAtEnd&) = delete;
    Job& job;
  };
  boost::asio::any_io_executor loop = co_await boost::asio::this_coro::executor;
  auto job = std::make_shared<Job>(*loop.target<boost::asio::io_context::executor_type>(),
                                   std::move(function));
  boost::asio::post(app.workers, [job] { job->run(); });
  BlockAtEnd end(*job);  // without memory to wait, it is waited for here
  while (!job->is_done()) co_await job->wait();
  co_return job->take();
}

}  // namespace chorus::server

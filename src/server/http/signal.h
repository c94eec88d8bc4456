// Wakes one coroutine from its own thread: what a connection waits on, whatever it is that happens.
// A raise() before wait() is not lost; many of them are one. All on one thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

namespace chorus::server {

class Signal {
 public:
  explicit Signal(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  boost::asio::awaitable<void> wait() {
    if (!raised_) {
      co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
          [this](Handler handler) { waiter_.emplace(std::move(handler)); },
          boost::asio::use_awaitable);
    }
    raised_ = false;
  }

  void raise() {
    raised_ = true;
    if (!waiter_) return;
    Handler handler = std::move(*waiter_);
    waiter_.reset();
    boost::asio::post(executor_, std::move(handler));
  }

 private:
  using Handler = boost::asio::async_result<boost::asio::use_awaitable_t<>, void()>::handler_type;

  boost::asio::any_io_executor executor_;
  std::optional<Handler> waiter_;
  bool raised_ = false;
};

}  // namespace chorus::server

// Runs a function on the server's worker thread while the connection's loop goes on.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "server/app.h"

namespace chorus::server {

template <class Function>
boost::asio::awaitable<std::invoke_result_t<Function>> offload(App& app, Function function) {
  // Optional, since Asio makes an empty one first, and a Result has no empty state.
  using Value = std::optional<std::invoke_result_t<Function>>;
  auto run = [](Function work) -> boost::asio::awaitable<Value> { co_return work(); };
  Value value = co_await boost::asio::co_spawn(app.workers, run(std::move(function)),
                                               boost::asio::use_awaitable);
  co_return std::move(*value);
}

}  // namespace chorus::server

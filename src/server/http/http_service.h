// What all connections share: how they are limited, who answers, who is told, and their counts.
//
// Thread contract: any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "server/http/byte_budget.h"
#include "server/http/client_address.h"
#include "server/http/http_handler.h"
#include "server/http/http_observer.h"
#include "server/http/http_options.h"

namespace chorus::server {

// 503: the budget for all clients together has nothing left.
inline HttpError buffers_full() {
  return {503, "the server holds as much for its clients as it may (--max-buffer-total)",
          "buffers"};
}

struct HttpService {
  HttpService(const HttpOptions& given, HttpHandler& answers, HttpObserver& watches)
      : options(given), handler(answers), observer(watches), buffers(given.max_buffer_total) {}

  const HttpOptions& options;
  HttpHandler& handler;
  HttpObserver& observer;

  ByteBudget buffers;  // held for all connections
  TrustedProxies proxies;

  std::atomic<bool> draining{false};       // each connection gets one more answer at the most
  std::atomic<std::int64_t> listening{0};  // sockets that connections may still come from
  std::atomic<std::int64_t> arriving{
      0};                                // connections that are accepted, and not yet counted below
  std::atomic<std::int64_t> running{0};  // requests that are being answered
  std::atomic<std::size_t> connections{0};  // served; those that are turned away come on top
  std::atomic<std::size_t> turned_away{0};
  std::atomic<std::int64_t> idle{0};           // of those served, how many have nothing to do
  std::atomic<std::int64_t> to_be_put_out{0};  // of these, for new ones that were let in for them

  // Whether a new connection is let in though there are as many as may be: for an idle one, which
  // its loop puts out at the next tick.
  bool make_room() {
    if (idle <= to_be_put_out) return false;
    ++to_be_put_out;
    return true;
  }
  // For the loop that has an idle one: whether one is to go.
  bool take_one_to_put_out() {
    std::int64_t left = to_be_put_out;
    while (left > 0) {
      if (connections <= options.max_connections) left = to_be_put_out = 0;
      if (left > 0 && to_be_put_out.compare_exchange_weak(left, left - 1)) return true;
    }
    return false;
  }
};

}  // namespace chorus::server

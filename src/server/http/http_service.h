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
};

}  // namespace chorus::server

// What all connections share: how they are limited, who answers, who is told, and their counts.
//
// Thread contract: any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "server/http/byte_budget.h"
#include "server/http/client_address.h"
#include "server/http/connection_shares.h"
#include "server/http/http_handler.h"
#include "server/http/http_observer.h"
#include "server/http/http_options.h"
#include "server/http/spread_count.h"

namespace chorus::server {

// 503: the budget for all clients together has nothing left, for this one at least.
inline HttpError buffers_full() {
  return {503,
          "the server holds as much for its clients, or for this one of them, as it may "
          "(--max-buffer-total)",
          "buffers"};
}

// What becomes of a new connection.
enum class Admission {
  kServed,
  kTooMany,           // there are as many as may be
  kTooManyOfAddress,  // of its address
};

// What one of too many is told.
inline HttpError too_many(Admission admission) {
  if (admission == Admission::kTooMany) return {503, "too many connections", "connections"};
  return {429,
          "too many connections from this address (--max-connections-per-address): close some, or "
          "send several requests on each; a proxy is to be named by --trusted-proxy",
          "connections"};
}

struct HttpService {
  HttpService(const HttpOptions& given, HttpHandler& answers, HttpObserver& watches)
      : options(given), handler(answers), observer(watches), buffers(given.max_buffer_total) {}

  const HttpOptions& options;
  HttpHandler& handler;
  HttpObserver& observer;

  ByteBudget buffers;  // held for all connections
  ConnectionShares shares;
  TrustedProxies proxies;

  std::atomic<bool> draining{false};       // each connection gets one more answer at the most
  std::atomic<std::int64_t> listening{0};  // sockets that connections may still come from
  std::atomic<std::int64_t> arriving{
      0};               // connections that are accepted, and not yet counted below
  SpreadCount running;  // requests that are being answered
  std::atomic<std::size_t> connections{0};  // served; those that are turned away come on top
  std::atomic<std::size_t> turned_away{0};
  SpreadCount idle;                            // of those served, how many have nothing to do
  std::atomic<std::int64_t> to_be_put_out{0};  // of these, for new ones that were let in for them

  std::atomic<bool> shares_put_out{false};  // some addresses' are to go for their own new ones

  // What becomes of a new connection of an address (null: of one that has no bound). One that is let in
  // though there are as many as may be takes the place of an idle one, which its loop puts out at the
  // next tick: of an address that has its share, one of its own.
  Admission admit(AddressShare* share) {
    bool is_full = connections >= options.max_connections;
    if (share != nullptr && is_over_share(share->connections, connections)) {
      // Not many at a time: until the next tick they come on top.
      std::int64_t at_once =
          is_full ? 1
                  : std::max<std::int64_t>(8, static_cast<std::int64_t>(share->connections) / 16);
      if (share->to_be_put_out < std::min<std::int64_t>(at_once, share->idle.sum())) {
        ++share->to_be_put_out;
        shares_put_out = true;
        return Admission::kServed;
      }
      return is_full ? Admission::kTooMany : Admission::kTooManyOfAddress;
    }
    if (!is_full) return Admission::kServed;
    if (idle.sum() <= to_be_put_out) return Admission::kTooMany;
    ++to_be_put_out;
    return Admission::kServed;
  }
  // For the loop that has an idle one of the address: whether one is to go.
  bool take_one_to_put_out(AddressShare& share) {
    std::int64_t left = share.to_be_put_out;
    while (left > 0) {
      bool is_over = share.connections > 0 && connections > 0 &&
                     is_over_share(share.connections - 1, connections - 1);
      if (share.to_be_put_out.compare_exchange_weak(left, is_over ? left - 1 : 0)) return is_over;
    }
    return false;
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

 private:
  // Whether an address that has `held` of all connections may have no more.
  bool is_over_share(std::size_t held, std::size_t all) const {
    if (options.max_connections_per_address > 0) {
      return held >= options.max_connections_per_address;
    }
    std::size_t free = options.max_connections - std::min(all, options.max_connections);
    return held > std::max(free, options.max_connections / 256);
  }
};

}  // namespace chorus::server

// Whose request it is, where proxies stand between: the one place that decides it. The address is
// the connection's own unless that is a proxy's that is trusted, which then says whose it passes on
// (X-Forwarded-For).
//
// Thread contract: immutable; any thread.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"
#include "server/http/http_request.h"

namespace chorus::server {

class TrustedProxies {
 public:
  TrustedProxies() = default;  // none

  // Each an address (10.0.0.1, ::1), a network (10.0.0.0/8), or "unix": whoever connects to the Unix
  // socket. Errors: kInvalidArgument.
  static Result<TrustedProxies> parse(const std::vector<std::string>& texts);

  // The address of the request's client, without a port; "unix" for the Unix socket. `peer` is the
  // connection's, as the listener describes it ("10.0.0.1:5000", "unix"). Of X-Forwarded-For only
  // what trusted proxies wrote is believed: its entries are read from the last on, up to the first
  // that is no such proxy.
  std::string client(std::string_view peer, const HttpRequest& request) const;

  // Whether the connection is such a proxy's.
  bool trusts_peer(std::string_view peer) const;

 private:
  bool trusts(const boost::asio::ip::address& address) const;

  std::vector<boost::asio::ip::network_v4> networks_v4_;
  std::vector<boost::asio::ip::network_v6> networks_v6_;
  bool unix_ = false;
};

// The address of a connection, without its port.
std::string peer_address(std::string_view peer);

// Of an address without a port what may be a single client: itself; of version 6 the network of its first
// 64 bits, of which a single machine has all addresses; "unix".
std::string network_of(std::string_view address);

}  // namespace chorus::server

// Where connections come in: a TCP port or a Unix socket. New connections go to the loops in turn.
//
// Thread contract: the functions from one thread before its loop starts; stop() from any.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chorus/error.h"
#include "server/http/http_service.h"
#include "server/http/loop.h"
#include "server/http/tls_context.h"
#include "server/http/transport.h"

namespace chorus::server {

// All addresses of a host to listen on: of a name both families', version 4 first; an address of
// version 6 may stand in brackets. Errors: kInvalidArgument for a host that has none.
Result<std::vector<boost::asio::ip::address>> addresses_of(std::string host);

class Listener {
 public:
  // `tls` null: connections are not encrypted. All must outlive the listener, which accepts on the
  // first loop.
  Listener(HttpService& service, const std::vector<std::unique_ptr<Loop>>& loops,
           const TlsContext* tls);
  ~Listener();  // removes the Unix socket

  // Errors: kUnsupported for an address that this machine does not have, kIo with the system's reason.
  Result<void> listen_tcp(const boost::asio::ip::address& address, std::uint16_t port);
  // A socket that a dead process left behind is replaced.
  Result<void> listen_unix(const std::string& path);
  std::uint16_t port() const { return port_; }

  void start();
  void stop();

 private:
  using Protocol = boost::asio::generic::stream_protocol;

  Result<void> listen(const Protocol::endpoint& endpoint, int protocol, const std::string& name);
  boost::asio::awaitable<void> accept_all();
  void begin(Loop& loop, Socket socket, const Protocol::endpoint& peer);

  HttpService& service_;
  const std::vector<std::unique_ptr<Loop>>& loops_;
  const TlsContext* tls_;
  boost::asio::basic_socket_acceptor<Protocol> acceptor_;
  std::string unix_path_;  // removed at the end; empty: none
  std::uint16_t port_ = 0;
  std::size_t next_ = 0;  // loop
};

}  // namespace chorus::server

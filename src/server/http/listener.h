// Where connections come in: a TCP port, a Unix socket, or a socket that listened already. New
// connections go to the loops in turn.
//
// Thread contract: the functions from one thread before its loop starts; start(), drain() and stop()
// from any.
#pragma once

#include <sys/types.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
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

  // These three find out what can go wrong. What connects is accepted from start() on.
  // `reuse_port`: other processes may listen there, too, and the system shares connections out.
  // Errors: kUnsupported for an address that this machine does not have, kIo with the system's reason.
  Result<void> listen_tcp(const boost::asio::ip::address& address, std::uint16_t port,
                          bool reuse_port = false);
  // A socket that a dead process left behind is replaced; `take_over`: by start() a live one's, too,
  // from whom it takes what connects from then on. `mode`: the permissions; empty: as the umask says.
  Result<void> listen_unix(const std::string& path, std::optional<unsigned> mode = {},
                           bool take_over = false);
  // A descriptor that listens already, and that others may hold, too. Errors: kIo.
  Result<void> adopt(int descriptor);

  void use_tls(const TlsContext* tls) { tls_ = tls; }
  std::uint16_t port() const { return port_; }  // 0: not of TCP
  // "127.0.0.1:4444", "[::1]:4444", or a path.
  const std::string& address() const { return address_; }
  bool is_tcp() const { return port_ != 0; }

  void start();
  // Lets go of the socket without losing who has connected to it: those are accepted, and served. What
  // connects afterwards is for another process that listens there, or refused.
  void drain();
  void stop();

 private:
  using Protocol = boost::asio::generic::stream_protocol;

  Result<void> listen(const Protocol::endpoint& endpoint, int protocol, const std::string& name);
  void note_address();
  void begin_listening();
  void remove_unix_path();
  void close_after_the_last();
  void accept();
  void take(const boost::system::error_code& error);
  void end_listening();
  // Without memory for it the connection is closed.
  void begin(Loop& loop, Socket socket, const Protocol::endpoint& peer);
  void hand_over(Loop& loop, Socket socket, const Protocol::endpoint& endpoint);
  void note_refused(const std::string& peer, Admission admission);

  HttpService& service_;
  const std::vector<std::unique_ptr<Loop>>& loops_;
  const TlsContext* tls_;
  boost::asio::basic_socket_acceptor<Protocol> acceptor_;
  boost::asio::steady_timer timer_;
  std::string bound_path_;  // of the Unix socket, removed at the end; empty: none
  dev_t unix_device_ = 0;   // which file that was: another process may have replaced it
  ino_t unix_inode_ = 0;
  // Shared: with other processes, so that it must not listen before start(). Inherited: it listens
  // already.
  bool is_shared_ = false, is_inherited_ = false;
  std::string address_;  // of the Unix socket, the path that it has once it listens
  std::uint16_t port_ = 0;
  std::size_t next_ = 0;  // loop

  bool is_listening_ = false;

  // Of the connection that is awaited.
  std::shared_ptr<bool> is_accepting_ = std::make_shared<bool>(false);
  std::optional<Socket> socket_;
  Loop* socket_loop_ = nullptr;
  Protocol::endpoint peer_;
  std::chrono::steady_clock::time_point last_warning_{}, last_refusal_{};
};

}  // namespace chorus::server

// The bytes of one connection, whatever carries them: TCP, a Unix socket, TLS, or memory in a fuzz
// target. It knows nothing of HTTP.
//
// Thread contract: all on the thread of its executor; one read and one write may be under way at
// once. It must outlive both.
#pragma once

#include <openssl/types.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstddef>
#include <functional>
#include <memory>

namespace chorus::server {

using Socket = boost::asio::generic::stream_protocol::socket;

class Transport {
 public:
  // Called once, with the bytes read; 0 when there will be no more, for whatever reason.
  using ReadHandler = std::function<void(std::size_t)>;

  virtual ~Transport() = default;
  // What comes before the first byte. False: it failed.
  virtual boost::asio::awaitable<bool> handshake() = 0;
  virtual void read_some(boost::asio::mutable_buffer buffer, ReadHandler handler) = 0;
  // Returns how many bytes of `data`, which must not be empty, were taken; 0 if it failed.
  virtual boost::asio::awaitable<std::size_t> write_some(boost::asio::const_buffer data) = 0;
  // Tells the other side that nothing follows.
  virtual boost::asio::awaitable<void> shutdown() = 0;
  // Ends reads and writes that are under way. May be called again.
  virtual void close() = 0;
};

std::unique_ptr<Transport> make_transport(Socket socket);
// The context need not outlive the call: OpenSSL counts who uses it.
std::unique_ptr<Transport> make_tls_transport(Socket socket, boost::asio::ssl::context& context);

}  // namespace chorus::server

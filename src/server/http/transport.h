// The bytes of one connection, whatever carries them: TCP, a Unix socket, TLS, or memory in a fuzz
// target. It knows nothing of HTTP.
//
// Thread contract: all on the thread of its executor; one read and one write may be under way at
// once. It must outlive both.
#pragma once

#include <openssl/types.h>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstddef>
#include <memory>

#include "server/http/task.h"

namespace chorus::server {

// With the executor's own type: to be ready for any costs Asio some work at every read.
using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol,
                                                boost::asio::io_context::executor_type>;

// Whom the loop tells how a read or a write has ended.
class TransportUser {
 public:
  virtual ~TransportUser() = default;
  // How many bytes; 0 when there will be no more, for whatever reason.
  virtual void has_read(std::size_t count) = 0;
  // How many bytes were taken; 0 if it failed.
  virtual void has_written(std::size_t count) = 0;
  // It will not be told of, as there was no memory for it. Called from anywhere, also by what throws
  // as it could not begin.
  virtual void has_lost_read() = 0;
  virtual void has_lost_write() = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // What comes before the first byte. False: it failed.
  virtual Task<bool> handshake() = 0;
  // These hold the user until they have ended. Without memory to begin they throw std::bad_alloc.
  virtual void read_some(boost::asio::mutable_buffer buffer,
                         std::shared_ptr<TransportUser> user) = 0;
  // `data` must not be empty.
  virtual void write_some(boost::asio::const_buffer data, std::shared_ptr<TransportUser> user) = 0;
  // How many bytes the system takes without anybody waiting; 0 as well where that cannot be told.
  // Not while a write is under way.
  virtual std::size_t write_now(boost::asio::const_buffer data) = 0;
  // Tells the other side that nothing follows.
  virtual Task<void> shutdown() = 0;
  // Ends reads and writes that are under way. May be called again.
  virtual void close() = 0;
};

std::unique_ptr<Transport> make_transport(Socket socket);
// The context need not outlive the call: OpenSSL counts who uses it.
std::unique_ptr<Transport> make_tls_transport(Socket socket, boost::asio::ssl::context& context);

}  // namespace chorus::server

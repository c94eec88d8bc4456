#include "server/http/transport.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

namespace chorus::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

using TlsStream = asio::ssl::stream<Socket>;

template <class Stream>
class StreamTransport : public Transport {
 public:
  template <class... Arguments>
  explicit StreamTransport(Arguments&&... arguments)
      : stream_(std::forward<Arguments>(arguments)...) {}

  asio::awaitable<bool> handshake() override {
    error_code error;
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      co_await stream_.async_handshake(asio::ssl::stream_base::server,
                                       asio::redirect_error(asio::use_awaitable, error));
    }
    co_return !error;
  }

  void read_some(asio::mutable_buffer buffer, ReadHandler handler) override {
    stream_.async_read_some(buffer,
                            [handler = std::move(handler)](error_code error, std::size_t count) {
                              handler(error ? 0 : count);
                            });
  }

  asio::awaitable<std::size_t> write_some(asio::const_buffer data) override {
    error_code error;
    std::size_t count =
        co_await stream_.async_write_some(data, asio::redirect_error(asio::use_awaitable, error));
    co_return error ? 0 : count;
  }

  asio::awaitable<void> shutdown() override {
    error_code ignored;
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      // Sends close_notify and would wait for the other's: the connection's deadline ends that.
      co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
    } else {
      stream_.shutdown(asio::socket_base::shutdown_send, ignored);
    }
  }

  void close() override {
    error_code ignored;
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      stream_.next_layer().close(ignored);
    } else {
      stream_.close(ignored);
    }
  }

 private:
  Stream stream_;
};

}  // namespace

std::unique_ptr<Transport> make_transport(Socket socket) {
  return std::make_unique<StreamTransport<Socket>>(std::move(socket));
}

std::unique_ptr<Transport> make_tls_transport(Socket socket, asio::ssl::context& context) {
  return std::make_unique<StreamTransport<TlsStream>>(std::move(socket), context);
}

}  // namespace chorus::server

#include "server/http/transport.h"

#include <sys/socket.h>

#include <boost/asio/ssl/stream.hpp>
#include <type_traits>
#include <utility>

#include "server/http/signal.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

using TlsStream = asio::ssl::stream<Socket>;

// Tells the user how it ended: also where Asio has no memory to go on, and drops it.
template <void (TransportUser::*kEnded)(std::size_t), void (TransportUser::*kLost)()>
class Completion {
 public:
  explicit Completion(std::shared_ptr<TransportUser> user) : user_(std::move(user)) {}
  Completion(Completion&&) = default;
  Completion& operator=(Completion&&) = delete;
  ~Completion() {
    if (user_ != nullptr) ((*user_).*kLost)();
  }

  void operator()(error_code error, std::size_t count) {
    std::shared_ptr<TransportUser> user = std::move(user_);
    ((*user).*kEnded)(error ? 0 : count);
  }

 private:
  std::shared_ptr<TransportUser> user_;
};

using ReadCompletion = Completion<&TransportUser::has_read, &TransportUser::has_lost_read>;
using WriteCompletion = Completion<&TransportUser::has_written, &TransportUser::has_lost_write>;

// What a coroutine waits for that is neither a read nor a write.
struct Step {
  explicit Step(const asio::io_context::executor_type& executor) : ended(executor) {}
  Signal ended;
  bool is_done = false;
};

class StepEnd {
 public:
  explicit StepEnd(std::shared_ptr<Step> step) : step_(std::move(step)) {}
  StepEnd(StepEnd&&) = default;
  StepEnd& operator=(StepEnd&&) = delete;
  ~StepEnd() {
    if (step_ != nullptr) step_->ended.raise();
  }

  void operator()(error_code error) {
    std::shared_ptr<Step> step = std::move(step_);
    step->is_done = !error;
    step->ended.raise_at_once();
  }

 private:
  std::shared_ptr<Step> step_;
};

template <class Stream>
class StreamTransport : public Transport {
 public:
  template <class... Arguments>
  explicit StreamTransport(Arguments&&... arguments)
      : stream_(std::forward<Arguments>(arguments)...) {}

  Task<bool> handshake() override {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      auto step = std::make_shared<Step>(stream_.get_executor());
      stream_.async_handshake(asio::ssl::stream_base::server, StepEnd(step));
      co_await step->ended.wait();
      co_return step->is_done;
    }
    co_return true;
  }

  void read_some(asio::mutable_buffer buffer, std::shared_ptr<TransportUser> user) override {
    stream_.async_read_some(buffer, ReadCompletion(std::move(user)));
  }

  void write_some(asio::const_buffer data, std::shared_ptr<TransportUser> user) override {
    stream_.async_write_some(data, WriteCompletion(std::move(user)));
  }

  std::size_t write_now(asio::const_buffer data) override {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      return 0;
    } else {
      ssize_t count =
          ::send(stream_.native_handle(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      return count < 0 ? 0 : static_cast<std::size_t>(count);  // an error will be met again
    }
  }

  Task<void> shutdown() override {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      // Sends close_notify and would wait for the other's: the connection's deadline ends that.
      auto step = std::make_shared<Step>(stream_.get_executor());
      stream_.async_shutdown(StepEnd(step));
      co_await step->ended.wait();
    } else {
      error_code ignored;
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

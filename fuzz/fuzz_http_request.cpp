// Any bytes as what a client sends: through the connection's own code, in pieces whose sizes the
// first bytes tell, on a transport in memory. No model is loaded, so every route is reached and
// none computes. It must end, answer nothing that is no HTTP, and leak nothing.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "server/api/router.h"
#include "server/http/connection.h"
#include "server/observer.h"

namespace {

namespace asio = boost::asio;
using namespace chorus::server;

// Gives what the client sends, then its end; keeps what it is sent.
class MemoryTransport : public Transport {
 public:
  MemoryTransport(asio::io_context& context, std::string_view input, std::size_t piece,
                  std::string& output)
      : context_(context), input_(input), piece_(piece), output_(output) {}

  Task<bool> handshake() override { co_return true; }
  void read_some(asio::mutable_buffer buffer, std::shared_ptr<TransportUser> user) override {
    std::size_t count = std::min({buffer.size(), piece_, input_.size()});
    std::memcpy(buffer.data(), input_.data(), count);
    input_.remove_prefix(count);
    asio::post(context_, [user = std::move(user), count] { user->has_read(count); });
  }
  void write_some(asio::const_buffer data, std::shared_ptr<TransportUser> user) override {
    std::size_t count = take(data, 1000);
    asio::post(context_, [user = std::move(user), count] { user->has_written(count); });
  }
  // A part only, or nothing.
  std::size_t write_now(asio::const_buffer data) override { return take(data, 4 * (piece_ % 128)); }
  Task<void> shutdown() override { co_return; }
  void close() override {}

 private:
  std::size_t take(asio::const_buffer data, std::size_t most) {
    std::size_t count = std::min(data.size(), most);
    output_.append(static_cast<const char*>(data.data()), count);
    return count;
  }

  asio::io_context& context_;
  std::string_view input_;
  std::size_t piece_;
  std::string& output_;
};

ServerOptions options() {
  ServerOptions result;
  result.log_level = "off";
  result.http.max_header = 4096;
  result.http.max_body = 4096;
  result.allowed_hosts = {"*"};
  result.http.cors_origins = {"http://a.example"};
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static App app(options(), {"none"}, StaticFiles(), StaticFiles(),
                 std::make_shared<Log>("off", false));
  static Router router(app);
  static LoggingObserver observer(app.log, app.metrics);
  static HttpService service(app.options.http, router, observer);
  if (size == 0) return 0;
  std::size_t piece = data[0] < 128 ? 1u + data[0] : 8192u;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string output;
  Loop loop;
  auto serve = [&]() -> Task<void> {
    auto connection = std::make_shared<Connection>(
        service, loop, std::make_unique<MemoryTransport>(loop.context(), input, piece, output),
        "fuzz", Admission::kServed, AddressPlace(nullptr, true));
    co_await connection->run();
  };
  chorus::server::start(serve());
  loop.context().run();
  if (!output.empty() && !output.starts_with("HTTP/1.1 ")) std::abort();
  if (service.connections != 0 || service.running.sum() != 0) std::abort();
  return 0;
}

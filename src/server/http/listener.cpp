#include "server/http/listener.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/ascii.h"
#include "server/http/connection.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// How long nothing is accepted after the system refused to, for want of descriptors or memory.
constexpr std::chrono::milliseconds kBackOff{100};

// Connections over the limit that are told so at once; others are closed without a word.
constexpr std::size_t kMostTurnedAway = 64;

std::string describe(const asio::generic::stream_protocol::endpoint& peer) {
  if (peer.protocol().family() == AF_UNIX) return "unix";
  asio::ip::tcp::endpoint address;
  if (peer.size() > address.capacity()) return "unknown";
  std::memcpy(address.data(), peer.data(), peer.size());
  address.resize(peer.size());
  return fmt::format("{}:{}", address.address().to_string(), address.port());
}

bool is_live(const std::string& path) {
  asio::io_context context;
  asio::local::stream_protocol::socket probe(context);
  error_code error;
  probe.connect(asio::local::stream_protocol::endpoint(path), error);
  return !error;
}

// The machine has no such address, or none of its family.
bool is_absent(error_code error) {
  return error == asio::error::address_family_not_supported ||
         error == boost::system::errc::address_not_available;
}

}  // namespace

Result<std::vector<asio::ip::address>> addresses_of(std::string host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (lower_case(host) == "localhost") {  // whatever the system's tables say of it
    return std::vector<asio::ip::address>{asio::ip::address_v4::loopback(),
                                          asio::ip::address_v6::loopback()};
  }
  asio::io_context context;
  asio::ip::tcp::resolver resolver(context);
  error_code error;
  std::vector<asio::ip::address> addresses;
  for (const auto& entry : resolver.resolve(host, "", error)) {
    asio::ip::address address = entry.endpoint().address();
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(address);
    }
  }
  std::stable_sort(addresses.begin(), addresses.end(),
                   [](const auto& a, const auto& b) { return a.is_v4() && b.is_v6(); });
  if (error || addresses.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("host: expected an address or a name that has one, found \"{}\"", host)};
  }
  return addresses;
}

Listener::Listener(HttpService& service, const std::vector<std::unique_ptr<Loop>>& loops,
                   const TlsContext* tls)
    : service_(service), loops_(loops), tls_(tls), acceptor_(loops.front()->context()) {}

Listener::~Listener() {
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

Result<void> Listener::listen(const Protocol::endpoint& endpoint, int protocol,
                              const std::string& name) {
  error_code error;
  acceptor_.open(Protocol(endpoint.protocol().family(), protocol), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return Error{is_absent(error) ? ErrorCode::kUnsupported : ErrorCode::kIo,
                 name + ": " + error.message()};
  return ok();
}

Result<void> Listener::listen_tcp(const asio::ip::address& address, std::uint16_t port) {
  asio::ip::tcp::endpoint endpoint(address, port);
  std::string name = address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), port)
                                     : fmt::format("{}:{}", address.to_string(), port);
  CHORUS_TRY(listen(endpoint, IPPROTO_TCP, name));
  error_code error;
  Protocol::endpoint bound = acceptor_.local_endpoint(error);
  std::memcpy(endpoint.data(), bound.data(), std::min(bound.size(), endpoint.capacity()));
  port_ = endpoint.port();
  return ok();
}

Result<void> Listener::listen_unix(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error{ErrorCode::kInvalidArgument, path + ": too long for a Unix socket"};
  }
  if (is_live(path)) return Error{ErrorCode::kIo, path + ": another server listens there"};
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(path.c_str());
  CHORUS_TRY(listen(asio::local::stream_protocol::endpoint(path), 0, path));
  unix_path_ = path;
  return ok();
}

void Listener::start() { asio::co_spawn(loops_.front()->context(), accept_all(), asio::detached); }

void Listener::stop() {
  asio::post(loops_.front()->context(), [this] {
    error_code ignored;
    acceptor_.close(ignored);
  });
}

asio::awaitable<void> Listener::accept_all() {
  asio::steady_timer timer(loops_.front()->context());
  while (acceptor_.is_open()) {
    Loop& loop = *loops_[next_++ % loops_.size()];
    error_code error;
    Protocol::endpoint peer;
    Socket socket(loop.context());
    co_await acceptor_.async_accept(socket, peer, asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
      begin(loop, std::move(socket), peer);
    } else if (error != asio::error::operation_aborted) {
      service_.observer.warn("accepting a connection: " + error.message());
      timer.expires_after(kBackOff);
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }
}

void Listener::begin(Loop& loop, Socket socket, const Protocol::endpoint& peer) {
  error_code ignored;
  bool admitted = service_.connections < service_.options.max_connections;
  if (!admitted && service_.turned_away >= kMostTurnedAway) return;
  if (peer.protocol().family() != AF_UNIX)
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  // What the system holds for a slow reader is bounded, too.
  socket.set_option(
      asio::socket_base::send_buffer_size(static_cast<int>(service_.options.max_buffer)), ignored);
  auto transport = tls_ == nullptr ? make_transport(std::move(socket))
                                   : make_tls_transport(std::move(socket), *tls_->current());
  auto serve = [](HttpService& service, Loop& its_loop, std::unique_ptr<Transport> its_transport,
                  std::string name, bool is_admitted) -> asio::awaitable<void> {
    Connection connection(service, its_loop, std::move(its_transport), std::move(name),
                          is_admitted);
    co_await connection.run();
  };
  asio::co_spawn(loop.context(),
                 serve(service_, loop, std::move(transport), describe(peer), admitted),
                 asio::detached);
}

}  // namespace chorus::server

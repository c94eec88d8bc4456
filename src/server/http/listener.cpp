#include "server/http/listener.h"

#include <fmt/format.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

#include "core/ascii.h"
#include "server/http/connection.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Between two warnings that the system gave no connection, for want of descriptors or memory.
constexpr std::chrono::seconds kBetweenWarnings{1};

// How long a TCP handshake that has begun may still take when the socket is let go.
constexpr std::chrono::milliseconds kHandshakeTime{200};

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

// Connections over the limit whose request is read, so that one for everybody's use is answered; others
// are told at once, if they can be.
constexpr std::size_t kMostTurnedAway = 64;
constexpr std::size_t kMostTurnedAwayOfAddress = 16;

// Between two lines that connections of an address are refused.
constexpr std::chrono::seconds kBetweenRefusals{10};

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

// No handshake begins at this socket from here on: the system drops the first packet of each (SYN), and
// the client sends it again a second later, when the socket is gone and another process's has it. A
// handshake that has begun goes on. Without this, closing a socket that shares its port resets those
// that end between the last accept() and close().
void refuse_handshakes(int descriptor) {
  constexpr unsigned kFlagsByte = 13, kSyn = 0x02, kSynAck = 0x12;
  sock_filter program[] = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, kFlagsByte},
                           {BPF_ALU | BPF_AND | BPF_K, 0, 0, kSynAck},
                           {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, kSyn},
                           {BPF_RET | BPF_K, 0, 0, 0},
                           {BPF_RET | BPF_K, 0, 0, 0xffffffff}};
  sock_fprog filter{std::size(program), program};
  ::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

// The machine has no such address, or none of its family.
bool is_absent(error_code error) {
  return error == asio::error::address_family_not_supported ||
         error == boost::system::errc::address_not_available;
}

// Tells one of too many so, without waiting for its request; what of that is there is read, as the
// system would take the answer back otherwise.
void tell_and_close(Socket& socket, Admission admission) {
  HttpError error = too_many(admission);
  bool is_of_address = admission == Admission::kTooManyOfAddress;
  std::string body = fmt::format(
      R"({{"error":{{"message":"{}","type":"{}","param":null,"code":"{}"}}}})", error.message,
      is_of_address ? "rate_limit_error" : "service_unavailable_error", error.code);
  std::string text = fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nRetry-After: 1\r\n"
      "Connection: close\r\n\r\n{}",
      is_of_address ? "429 Too Many Requests" : "503 Service Unavailable", body.size(), body);
  std::array<char, 16384> request;
  ssize_t count = 0;
  for (int i = 0; i < 4 && (i == 0 || count > 0); ++i) {
    count = ::recv(socket.native_handle(), request.data(), request.size(), MSG_DONTWAIT);
  }
  count = ::send(socket.native_handle(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  ::shutdown(socket.native_handle(), SHUT_WR);
}

// Counts a connection that was accepted and is not yet served.
class Arriving {
 public:
  explicit Arriving(HttpService& service) : service_(&service) { ++service.arriving; }
  Arriving(Arriving&& other) noexcept : service_(std::exchange(other.service_, nullptr)) {}
  ~Arriving() { end(); }

  void end() {
    if (service_ != nullptr) --service_->arriving;
    service_ = nullptr;
  }

 private:
  HttpService* service_;
};

Task<void> serve(HttpService& service, Loop& loop, std::unique_ptr<Transport> transport,
                 std::string peer, Admission admission, AddressPlace place, Arriving arriving) {
  auto connection = std::make_shared<Connection>(service, loop, std::move(transport),
                                                 std::move(peer), admission, std::move(place));
  arriving.end();
  co_await connection->run();
}

// Part of a handler: whether it is still awaited. Without memory for the new connection Asio throws,
// and drops the handler without having called it.
class Awaited {
 public:
  explicit Awaited(std::shared_ptr<bool> flag) : flag_(std::move(flag)) { *flag_ = true; }
  Awaited(Awaited&&) = default;
  ~Awaited() { end(); }

  void end() {
    if (flag_) *flag_ = false;
    flag_.reset();
  }

 private:
  std::shared_ptr<bool> flag_;
};

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
    : service_(service),
      loops_(loops),
      tls_(tls),
      acceptor_(loops.front()->context()),
      timer_(loops.front()->context()) {}

Listener::~Listener() { remove_unix_path(); }

void Listener::remove_unix_path() {
  struct stat status {};
  if (!bound_path_.empty() && ::lstat(bound_path_.c_str(), &status) == 0 &&
      status.st_dev == unix_device_ && status.st_ino == unix_inode_) {
    ::unlink(bound_path_.c_str());
  }
  bound_path_.clear();
}

Result<void> Listener::listen(const Protocol::endpoint& endpoint, int protocol,
                              const std::string& name) {
  error_code error;
  acceptor_.open(Protocol(endpoint.protocol().family(), protocol), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && is_shared_ && protocol == IPPROTO_TCP) {
    acceptor_.set_option(ReusePort(true), error);
  }
  if (!error) acceptor_.bind(endpoint, error);
  if (!error && !is_shared_) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return Error{is_absent(error) ? ErrorCode::kUnsupported : ErrorCode::kIo,
                 name + ": " + error.message()};
  note_address();
  return ok();
}

void Listener::note_address() {
  error_code error;
  Protocol::endpoint bound = acceptor_.local_endpoint(error);
  if (bound.protocol().family() == AF_UNIX) {
    const auto* address = reinterpret_cast<const sockaddr_un*>(bound.data());
    std::size_t length = bound.size() - std::min(bound.size(), offsetof(sockaddr_un, sun_path));
    address_.assign(address->sun_path, ::strnlen(address->sun_path, length));
    return;
  }
  asio::ip::tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), bound.data(), std::min(bound.size(), endpoint.capacity()));
  port_ = endpoint.port();
  std::string text = endpoint.address().to_string();
  address_ = fmt::format("{}:{}", endpoint.address().is_v6() ? "[" + text + "]" : text, port_);
}

Result<void> Listener::listen_tcp(const asio::ip::address& address, std::uint16_t port,
                                  bool reuse_port) {
  is_shared_ = reuse_port;
  std::string name = address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), port)
                                     : fmt::format("{}:{}", address.to_string(), port);
  return listen(asio::ip::tcp::endpoint(address, port), IPPROTO_TCP, name);
}

Result<void> Listener::listen_unix(const std::string& path, std::optional<unsigned> mode,
                                   bool take_over) {
  is_shared_ = take_over;
  std::string bound = take_over ? path + ".new" : path;
  if (bound.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error{ErrorCode::kInvalidArgument, path + ": too long for a Unix socket"};
  }
  if (!take_over && is_live(path)) {
    return Error{ErrorCode::kIo, path + ": another server listens there (--reuse-port takes over)"};
  }
  struct stat status {};
  if (::lstat(bound.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(bound.c_str());
  mode_t before = ::umask(mode ? ~*mode & 0777 : 0);
  if (!mode) ::umask(before);
  Result<void> listening = listen(asio::local::stream_protocol::endpoint(bound), 0, path);
  if (mode) ::umask(before);
  CHORUS_TRY(std::move(listening));
  address_ = path;
  if (::lstat(bound.c_str(), &status) == 0) {
    bound_path_ = bound;
    unix_device_ = status.st_dev;
    unix_inode_ = status.st_ino;
  }
  return ok();
}

Result<void> Listener::adopt(int descriptor) {
  int family = 0;
  socklen_t size = sizeof(family);
  ::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size);
  error_code error;
  acceptor_.assign(Protocol(family, family == AF_UNIX ? 0 : IPPROTO_TCP), descriptor, error);
  if (error) {
    return Error{ErrorCode::kIo, fmt::format("descriptor {}: {}", descriptor, error.message())};
  }
  is_inherited_ = true;
  note_address();
  return ok();
}

void Listener::start() {
  asio::post(loops_.front()->context(), [this] { begin_listening(); });
}

void Listener::begin_listening() {
  if (!acceptor_.is_open()) return;
  error_code error;
  if (is_shared_) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  bool is_moved = bound_path_.empty() || bound_path_ == address_;
  if (!error && !is_moved) {
    if (::rename(bound_path_.c_str(), address_.c_str()) == 0) {
      bound_path_ = address_;
    } else {
      error.assign(errno, boost::system::system_category());
    }
  }
  if (error) return service_.observer.warn(address_ + ": " + error.message());
  ++service_.listening;
  is_listening_ = true;
  // What could not be awaited, for want of memory or descriptors, is tried again at the next tick.
  loops_.front()->at_ticks([this] { accept(); });
  accept();
}

void Listener::stop() {
  asio::post(loops_.front()->context(), [this] {
    error_code ignored;
    timer_.cancel();
    acceptor_.close(ignored);
  });
}

void Listener::drain() {
  asio::post(loops_.front()->context(), [this] {
    error_code ignored;
    remove_unix_path();
    if (is_inherited_) {  // who has connected waits for the next process that holds it
      acceptor_.close(ignored);
    } else if (!is_shared_ || !is_tcp()) {
      close_after_the_last();
    } else {
      refuse_handshakes(acceptor_.native_handle());
      timer_.expires_after(kHandshakeTime);
      timer_.async_wait([this](error_code cancelled) {
        if (!cancelled) close_after_the_last();
      });
    }
  });
}

void Listener::close_after_the_last() {
  error_code error;
  acceptor_.non_blocking(true, error);
  while (!error && acceptor_.is_open()) {
    Loop& loop = *loops_[next_++ % loops_.size()];
    Protocol::endpoint peer;
    Socket socket(loop.context());
    acceptor_.accept(socket, peer, error);
    if (!error) begin(loop, std::move(socket), peer);
  }
  acceptor_.close(error);
}

void Listener::end_listening() {
  if (std::exchange(is_listening_, false)) --service_.listening;
}

void Listener::accept() {
  if (!acceptor_.is_open()) return end_listening();
  if (*is_accepting_) return;
  socket_loop_ = loops_[next_++ % loops_.size()].get();
  socket_.emplace(socket_loop_->context());
  auto handler = [this, awaited = Awaited(is_accepting_)](const error_code& error) mutable {
    awaited.end();
    take(error);
  };
  acceptor_.async_accept(*socket_, peer_, std::move(handler));
}

void Listener::take(const error_code& error) {
  if (!error) {
    begin(*socket_loop_, std::move(*socket_), peer_);
    return accept();
  }
  if (!acceptor_.is_open()) return end_listening();
  auto now = std::chrono::steady_clock::now();
  if (error == asio::error::operation_aborted || now - last_warning_ < kBetweenWarnings) return;
  last_warning_ = now;
  service_.observer.warn("accepting a connection: " + error.message());
}

void Listener::begin(Loop& loop, Socket socket, const Protocol::endpoint& peer) {
  try {
    hand_over(loop, std::move(socket), peer);
  } catch (const std::bad_alloc&) {
    service_.observer.warn("no memory for a connection");
  }
}

void Listener::note_refused(const std::string& peer, Admission admission) {
  bool is_of_address = admission == Admission::kTooManyOfAddress;
  service_.observer.connection_refused(is_of_address);
  auto now = std::chrono::steady_clock::now();
  if (now - last_refusal_ < kBetweenRefusals) return;
  last_refusal_ = now;
  service_.observer.warn(
      is_of_address ? fmt::format("connections of {} are refused: it has its share "
                                  "(--max-connections-per-address); if it is a proxy, name it by "
                                  "--trusted-proxy",
                                  network_of(peer_address(peer)))
                    : fmt::format("connections are refused: there are {} (--max-connections)",
                                  service_.connections.load()));
}

void Listener::hand_over(Loop& loop, Socket socket, const Protocol::endpoint& endpoint) {
  error_code ignored;
  std::string peer = describe(endpoint);
  std::shared_ptr<AddressShare> share;
  if (!service_.proxies.trusts_peer(peer))
    share = service_.shares.of(network_of(peer_address(peer)));
  Admission admission = service_.admit(share.get());
  bool is_served = admission == Admission::kServed;
  if (!is_served) note_refused(peer, admission);
  if (!is_served && (service_.turned_away >= kMostTurnedAway ||
                     (share && share->turned_away >= kMostTurnedAwayOfAddress))) {
    if (tls_ == nullptr) tell_and_close(socket, admission);
    return;
  }
  if (endpoint.protocol().family() != AF_UNIX)
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  // What the system holds for a slow reader is bounded, too.
  socket.set_option(
      asio::socket_base::send_buffer_size(static_cast<int>(service_.options.max_buffer)), ignored);
  auto transport = tls_ == nullptr ? make_transport(std::move(socket))
                                   : make_tls_transport(std::move(socket), *tls_->current());
  // On the loop's own thread: what Asio cannot begin it destroys there, while this one would still
  // be in it.
  asio::post(loop.context(),
             [&service = service_, &loop, transport = std::move(transport), peer = std::move(peer),
              admission, place = AddressPlace(std::move(share), is_served),
              arriving = Arriving(service_)]() mutable {
               server::start(serve(service, loop, std::move(transport), std::move(peer), admission,
                                   std::move(place), std::move(arriving)));
             });
}

}  // namespace chorus::server

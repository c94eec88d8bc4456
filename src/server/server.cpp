#include "server/server.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "core/mutex.h"
#include "server/api/router.h"
#include "server/app.h"
#include "server/http/listener.h"
#include "server/http/loop.h"
#include "server/observer.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kDrainPoll{20};

Result<void> use_certificate(asio::ssl::context& tls, const ServerOptions& options) {
  boost::system::error_code error;
  tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                      asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                      asio::ssl::context::no_tlsv1_1,
                  error);
  tls.use_certificate_chain_file(options.tls_certificate, error);
  if (error) {
    return Error{ErrorCode::kIo,
                 options.tls_certificate + ": expected a PEM certificate: " + error.message()};
  }
  tls.use_private_key_file(options.tls_key, asio::ssl::context::pem, error);
  if (error) {
    return Error{ErrorCode::kIo,
                 options.tls_key + ": expected the certificate's PEM key: " + error.message()};
  }
  return ok();
}

std::vector<std::string> names(const std::vector<ModelSource>& models) {
  std::vector<std::string> result;
  for (const ModelSource& model : models) result.push_back(model.name);
  return result;
}

// Clients ask for models by name.
Result<void> check_names(const std::vector<ModelSource>& models) {
  std::set<std::string> seen;
  for (const ModelSource& model : models) {
    if (model.name.empty()) {
      return Error{ErrorCode::kInvalidArgument, "model: expected a name in front of =, found none"};
    }
    if (!seen.insert(model.name).second) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("model: two are called \"{}\"; give one of them another name, as in "
                               "--model NAME=PATH",
                               model.name)};
    }
  }
  return ok();
}

}  // namespace

struct Server::Impl {
  struct State {
    bool drain_asked = false, stop_asked = false;
    std::optional<Error> load_error;
  };
  struct Ending {
    bool is_whole;  // no request was given up
    std::optional<Error> error;
  };

  Impl(ServerOptions options, std::vector<ModelSource> models, StaticFiles files)
      : sources(std::move(models)), app(std::move(options), names(sources), std::move(files)) {
    for (std::size_t i = 0; i < app.options.io_threads; ++i) {
      loops.push_back(std::make_unique<Loop>());
    }
  }

  Result<void> listen();
  void load();
  void shut_down();
  void set(bool State::*flag) {
    Lock lock(mutex);
    state.*flag = true;
    changed.notify_all();
  }
  // Waits until the server is to end and then, unless that is to be at once, for its requests.
  Ending wait_for_the_end();

  std::vector<ModelSource> sources;
  App app;
  Router router{app};
  LoggingObserver observer{app.log, app.metrics};
  HttpService http{app.options.http, router, observer};
  std::vector<std::unique_ptr<Loop>> loops;
  asio::ssl::context tls{asio::ssl::context::tls_server};
  std::vector<std::unique_ptr<Listener>> tcp;  // one for each address of the host
  std::unique_ptr<Listener> unix_socket;
  std::thread loader;
  std::atomic<bool> is_loading{true};
  bool is_shut_down = false;  // wait()'s thread's

  Mutex mutex;
  Condition changed;
  State state CHORUS_GUARDED_BY(mutex);
};

Result<void> Server::Impl::listen() {
  const ServerOptions& options = app.options;
  bool has_tls = !options.tls_certificate.empty();
  if (has_tls) {
    CHORUS_TRY(use_certificate(tls, options));
  }
  if (options.tcp) {
    CHORUS_TRY(auto addresses, addresses_of(options.host));
    std::uint16_t port = options.port;
    for (const boost::asio::ip::address& address : addresses) {
      auto listener = std::make_unique<Listener>(http, loops, has_tls ? &tls : nullptr);
      auto listening = listener->listen_tcp(address, port);
      // A machine may have a name for version 6 without having version 6.
      if (!listening && !tcp.empty() && listening.assume_error().code == ErrorCode::kUnsupported) {
        continue;
      }
      CHORUS_TRY(std::move(listening));
      port = listener->port();
      tcp.push_back(std::move(listener));
    }
    for (auto& listener : tcp) listener->start();
  }
  if (!options.unix_socket.empty()) {
    unix_socket = std::make_unique<Listener>(http, loops, nullptr);
    CHORUS_TRY(unix_socket->listen_unix(options.unix_socket));
    unix_socket->start();
  }
  return ok();
}

void Server::Impl::load() {
  for (std::size_t i = 0; i < sources.size(); ++i) {
    Result<std::unique_ptr<Engine>> engine = sources[i].load();
    if (!engine) {
      Lock lock(mutex);
      state.load_error = std::move(engine.assume_error()).in(sources[i].name);
      changed.notify_all();
      break;
    }
    for (const std::string& note : engine.assume_value()->info().notes) {
      app.log.write(LogLevel::kWarning, fmt::format("model {}: note: {}", sources[i].name, note));
    }
    app.log.write(LogLevel::kInfo, fmt::format("model {} is ready", sources[i].name));
    app.models.set_ready(i, std::move(engine.assume_value()));
  }
  is_loading = false;
}

void Server::Impl::shut_down() {
  if (std::exchange(is_shut_down, true)) return;
  for (auto& listener : tcp) listener->stop();
  if (unix_socket) unix_socket->stop();
  for (auto& loop : loops) loop->stop();
  for (auto& loop : loops) loop->join();
  app.workers.join();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  impl_->shut_down();
  if (impl_->loader.joinable()) impl_->loader.join();
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options,
                                              std::vector<ModelSource> models) {
  CHORUS_TRY(check_names(models));
  CHORUS_TRY(StaticFiles files, StaticFiles::open(options.static_dir));
  CHORUS_TRY(TrustedProxies proxies, TrustedProxies::parse(options.http.trusted_proxies));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(models), std::move(files));
  impl->http.proxies = std::move(proxies);
  CHORUS_TRY(impl->listen());
  for (auto& loop : impl->loops) loop->start();
  impl->loader = std::thread([state = impl.get()] { state->load(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const {
  return impl_->tcp.empty() ? std::uint16_t{0} : impl_->tcp.front()->port();
}
bool Server::is_loading() const { return impl_->is_loading; }

void Server::drain() {
  impl_->http.draining = true;
  impl_->set(&Impl::State::drain_asked);
}

void Server::stop() { impl_->set(&Impl::State::stop_asked); }

Server::Impl::Ending Server::Impl::wait_for_the_end() {
  Lock lock(mutex);
  while (!state.drain_asked && !state.stop_asked && !state.load_error) changed.wait(mutex);
  auto deadline = std::chrono::steady_clock::now() + app.options.drain_timeout;
  while (!state.stop_asked && !state.load_error && http.running > 0 &&
         std::chrono::steady_clock::now() <= deadline) {
    changed.wait_for(mutex, kDrainPoll);
  }
  return {.is_whole = http.running == 0, .error = state.load_error};
}

Result<bool> Server::wait() {
  Impl::Ending ending = impl_->wait_for_the_end();
  impl_->shut_down();
  if (ending.error) return *ending.error;
  return ending.is_whole;
}

}  // namespace chorus::server

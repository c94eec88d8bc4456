#include "server/server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "core/mutex.h"
#include "core/out_of_memory.h"
#include "server/api/router.h"
#include "server/app.h"
#include "server/http/listener.h"
#include "server/http/loop.h"
#include "server/http/tls_context.h"
#include "server/observer.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kDrainPoll{20};

std::vector<std::string> names(const std::vector<ModelSource>& models) {
  std::vector<std::string> result;
  for (const ModelSource& model : models) result.push_back(model.name);
  return result;
}

// Each connection takes a descriptor, and so do models, files and logs: connections that there would
// be none for are not promised.
void raise_descriptor_limit(HttpOptions& options, Log& log) {
  constexpr rlim_t kOthers = 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlimit raised{limit.rlim_max, limit.rlim_max};
  if (limit.rlim_cur < limit.rlim_max && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  if (limit.rlim_cur == RLIM_INFINITY) return;
  rlim_t most = limit.rlim_cur > 2 * kOthers ? limit.rlim_cur - kOthers : limit.rlim_cur / 2;
  if (options.max_connections <= most) return;
  log.write(LogLevel::kWarning,
            fmt::format("max-connections is {} and not {}: the system gives this process {} "
                        "descriptors (ulimit -n)",
                        most, options.max_connections, limit.rlim_cur));
  options.max_connections = std::max<std::size_t>(most, 1);
}

}  // namespace

Result<void> check_model_names(const std::vector<ModelSource>& models) {
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

struct Server::Impl {
  struct State {
    bool drain_asked = false, stop_asked = false;
    std::optional<Error> load_error;
  };
  struct Ending {
    bool is_whole;  // no request was given up
    std::optional<Error> error;
  };

  Impl(ServerOptions options, std::vector<ModelSource> models, StaticFiles files,
       StaticFiles ui_files, std::shared_ptr<Log> log)
      : sources(std::move(models)),
        app(std::move(options), names(sources), std::move(files), std::move(ui_files),
            std::move(log)) {
    for (std::size_t i = 0; i < app.options.io_threads; ++i) {
      loops.push_back(std::make_unique<Loop>());
    }
  }

  Result<void> listen();
  Result<void> listen_tcp();
  void load();
  void reload();
  void tell_of_certificate();
  void shut_down();
  void set(bool State::*flag) {
    Lock lock(mutex);
    state.*flag = true;
    changed.notify_all();
  }
  // Waits until the server is to end and then, unless that is to be at once, for its requests.
  Ending wait_for_the_end();
  // In the order in which a connection passes from one to the next, so that none is missed.
  bool is_occupied() const {
    return http.listening > 0 || http.arriving > 0 || http.connections > 0 ||
           http.running.sum() > 0;
  }

  std::vector<ModelSource> sources;
  App app;
  Router router{app};
  LoggingObserver observer{app.log, app.metrics};
  HttpService http{app.options.http, router, observer};
  std::vector<std::unique_ptr<Loop>> loops;
  std::unique_ptr<TlsContext> tls;  // null: no TLS
  std::vector<std::unique_ptr<Listener>> listeners;
  std::thread loader;
  std::atomic<bool> is_loading{true};
  bool is_shut_down = false;  // wait()'s thread's

  Mutex mutex;
  Condition changed;
  State state CHORUS_GUARDED_BY(mutex);
};

Result<void> Server::Impl::listen() {
  const ServerOptions& options = app.options;
  if (!options.tls_certificate.empty()) {
    CHORUS_TRY(tls, TlsContext::read(options.tls_certificate, options.tls_key));
    tell_of_certificate();
  }
  for (int descriptor : options.inherited_sockets) {
    auto listener = std::make_unique<Listener>(http, loops, nullptr);
    CHORUS_TRY(listener->adopt(descriptor));
    if (listener->is_tcp()) listener->use_tls(tls.get());
    listeners.push_back(std::move(listener));
  }
  if (options.tcp && options.inherited_sockets.empty()) {
    CHORUS_TRY(listen_tcp());
  }
  if (!options.unix_socket.empty()) {
    auto listener = std::make_unique<Listener>(http, loops, nullptr);
    CHORUS_TRY(
        listener->listen_unix(options.unix_socket, options.unix_socket_mode, options.reuse_port));
    listeners.push_back(std::move(listener));
  }
  if (!options.listens_when_ready()) {
    for (auto& listener : listeners) listener->start();
  }
  return ok();
}

// On each address of the host.
Result<void> Server::Impl::listen_tcp() {
  const ServerOptions& options = app.options;
  CHORUS_TRY(auto addresses, addresses_of(options.host));
  std::uint16_t port = options.port;
  for (const boost::asio::ip::address& address : addresses) {
    auto listener = std::make_unique<Listener>(http, loops, tls.get());
    auto listening = listener->listen_tcp(address, port, options.reuse_port);
    // A machine may have a name for version 6 without having version 6.
    if (!listening && !listeners.empty() &&
        listening.assume_error().code == ErrorCode::kUnsupported) {
      continue;
    }
    CHORUS_TRY(std::move(listening));
    port = listener->port();
    listeners.push_back(std::move(listener));
  }
  return ok();
}

void Server::Impl::load() {
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (auto other = sources[i].same_as) {
      ServedModel same = app.models.all()[*other];
      app.models.set_ready(i, same.engine, same.chat_template);
      app.log.write(LogLevel::kInfo, fmt::format("model {} is {} by another name", sources[i].name,
                                                 sources[*other].name));
      continue;
    }
    auto fail = [&](Error& error) {
      Lock lock(mutex);
      state.load_error = std::move(error).in(sources[i].name);
      changed.notify_all();
    };
    Result<std::unique_ptr<Engine>> engine = or_out_of_memory(sources[i].load);
    if (!engine) {
      fail(engine.assume_error());
      break;
    }
    auto chat = ChatTemplate::make(app.options.chat_template, *engine.assume_value());
    if (!chat) {
      fail(chat.assume_error());
      break;
    }
    std::shared_ptr<const ChatTemplate> chat_template;
    if (chat.assume_value()) {
      chat_template = std::make_shared<const ChatTemplate>(std::move(*chat.assume_value()));
    }
    for (const std::string& note : engine.assume_value()->info().notes) {
      app.log.write(LogLevel::kWarning, fmt::format("model {}: note: {}", sources[i].name, note));
    }
    app.log.write(LogLevel::kInfo, fmt::format("model {} is ready", sources[i].name));
    app.models.set_ready(i, std::move(engine.assume_value()), std::move(chat_template));
  }
  if (app.options.listens_when_ready() && app.models.all_ready()) {
    for (auto& listener : listeners) listener->start();
    app.log.write(LogLevel::kInfo, "all models are ready: listening");
  }
  is_loading = false;
}

void Server::Impl::tell_of_certificate() {
  TlsContext::Description certificate = tls->describe();
  app.log.write(certificate.is_valid_now ? LogLevel::kInfo : LogLevel::kWarning,
                fmt::format("the certificate is {}{}", certificate.text,
                            certificate.is_valid_now ? "" : ", and does not hold now"));
}

void Server::Impl::reload() {
  const ServerOptions& options = app.options;
  if (options.api_key_file.empty() && tls == nullptr) {
    app.log.write(LogLevel::kInfo, "nothing to read again: no --api-key-file, no --tls-cert");
  }
  if (!options.api_key_file.empty()) {
    Result<std::vector<std::string>> keys = read_api_keys(options.api_key_file);
    if (keys) {
      app.keys.replace(keys.assume_value());
      app.log.write(LogLevel::kInfo,
                    fmt::format("the keys were read again: {}", keys.assume_value().size()));
    } else {
      app.log.write(LogLevel::kError,
                    fmt::format("the keys stay as they were: {}", keys.assume_error().message));
    }
  }
  if (tls == nullptr) return;
  Result<void> certificate = tls->read_again();
  if (certificate) {
    tell_of_certificate();
  } else {
    app.log.write(LogLevel::kError, fmt::format("the certificate stays as it was: {}",
                                                certificate.assume_error().message));
  }
}

void Server::Impl::shut_down() {
  if (std::exchange(is_shut_down, true)) return;
  for (auto& listener : listeners) listener->stop();
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
                                              std::vector<ModelSource> models,
                                              std::shared_ptr<Log> log) {
  CHORUS_TRY(check_model_names(models));
  CHORUS_TRY(StaticFiles files, StaticFiles::open(options.static_dir));
  CHORUS_TRY(StaticFiles ui_files, StaticFiles::open(options.ui_dir));
  CHORUS_TRY(TrustedProxies proxies, TrustedProxies::parse(options.http.trusted_proxies));
  if (!options.api_key_file.empty()) {
    CHORUS_TRY(options.api_keys, read_api_keys(options.api_key_file));
  }
  if (log == nullptr) log = std::make_shared<Log>(options.log_level, options.log_json);
  raise_descriptor_limit(options.http, *log);
  auto impl = std::make_unique<Impl>(std::move(options), std::move(models), std::move(files),
                                     std::move(ui_files), std::move(log));
  impl->http.proxies = std::move(proxies);
  CHORUS_TRY(impl->listen());
  for (auto& loop : impl->loops) loop->start();
  impl->loader = std::thread([state = impl.get()] { state->load(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const {
  for (const auto& listener : impl_->listeners) {
    if (listener->is_tcp()) return listener->port();
  }
  return 0;
}

std::vector<std::string> Server::addresses() const {
  std::vector<std::string> result;
  for (const auto& listener : impl_->listeners) {
    const char* scheme = !listener->is_tcp() ? "" : impl_->tls ? "https://" : "http://";
    result.push_back(scheme + listener->address());
  }
  return result;
}

bool Server::is_loading() const { return impl_->is_loading; }
bool Server::is_ready() const { return !is_loading() && impl_->app.models.all_ready(); }

void Server::reload() { impl_->reload(); }

void Server::drain() {
  impl_->http.draining = true;
  for (auto& listener : impl_->listeners) listener->drain();
  impl_->set(&Impl::State::drain_asked);
}

void Server::stop() { impl_->set(&Impl::State::stop_asked); }

Server::Impl::Ending Server::Impl::wait_for_the_end() {
  Lock lock(mutex);
  while (!state.drain_asked && !state.stop_asked && !state.load_error) changed.wait(mutex);
  auto deadline = std::chrono::steady_clock::now() + app.options.drain_timeout;
  while (!state.stop_asked && !state.load_error && is_occupied() &&
         std::chrono::steady_clock::now() <= deadline) {
    changed.wait_for(mutex, kDrainPoll);
  }
  return {.is_whole = http.running.sum() == 0, .error = state.load_error};
}

Result<bool> Server::wait() {
  Impl::Ending ending = impl_->wait_for_the_end();
  impl_->shut_down();
  if (ending.error) return *ending.error;
  return ending.is_whole;
}

}  // namespace chorus::server

// `chorus serve`: the HTTP server, until a signal ends it. It knows no routes.

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>

#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/environment.h"
#include "cli/option_checks.h"
#include "cli/serve_options.h"
#include "server/api/api_keys.h"
#include "server/api/callers.h"
#include "server/log.h"
#include "server/server.h"

namespace chorus::cli {
namespace {

// A descriptor below 3 that is closed would become a connection's, and messages would go there.
void keep_standard_descriptors() {
  for (int descriptor = 0; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    int null = ::open("/dev/null", O_RDWR);
    if (null >= 0 && null != descriptor) {
      ::dup2(null, descriptor);
      ::close(null);
    }
  }
}

sigset_t end_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  return signals;
}

// The first signal drains the server, the second stops it.
void follow_signals(std::stop_token stop, server::Server& server) {
  sigset_t signals = end_signals();
  timespec wait{0, 100'000'000};
  bool is_draining = false;
  while (!stop.stop_requested()) {
    if (::sigtimedwait(&signals, nullptr, &wait) < 0) continue;
    if (is_draining) return server.stop();
    is_draining = true;
    server.drain();
  }
}

std::vector<server::ModelSource> sources(const ServeOptions& options) {
  std::vector<server::ModelSource> result;
  for (const NamedModel& named : options.models) {
    ModelOptions model = options.engine;
    model.model = named.path;
    model.kv_memory /= options.models.size();
    auto load = [model]() -> Result<std::unique_ptr<Engine>> {
      try {
        return std::move(load_engine(model).engine);
      } catch (const CommandFailed& error) {
        return Error{ErrorCode::kNotFound, error.what()};
      }
    };
    result.push_back({named.name, load});
  }
  return result;
}

// To standard error, which may be gone or full: that is nobody's fault here.
void say(const ServeOptions& options, server::LogLevel level, const std::string& message) {
  bool as_json = options.server.log_json;
  std::fputs((as_json ? server::json_log_lines(level, message) : message + "\n").c_str(), stderr);
}

void announce(const ServeOptions& options, const server::Server& server) {
  const server::ServerOptions& serving = options.server;
  if (serving.tcp) {
    bool is_local = server::is_loopback(serving.host);
    bool is_version_6 = serving.host.find(':') != std::string::npos;
    say(options, server::LogLevel::kInfo,
        fmt::format("Listening on {}://{}:{}{}", serving.tls_key.empty() ? "http" : "https",
                    is_version_6 && !serving.host.starts_with('[') ? "[" + serving.host + "]"
                                                                   : serving.host,
                    server.port(),
                    is_local ? " (this machine only; --host 0.0.0.0 is for all)" : ""));
  }
  if (!serving.unix_socket.empty()) {
    say(options, server::LogLevel::kInfo, fmt::format("Listening on {}", serving.unix_socket));
  }
}

void tell_of_links(const ServeOptions& options) {
  std::vector<std::string> links = service_links();
  if (links.empty()) return;
  say(options, server::LogLevel::kWarning,
      fmt::format(
          "Ignored, as Kubernetes sets them for a Service (enableServiceLinks: false leaves "
          "them out): {}",
          fmt::join(links, ", ")));
}

void run(ServeOptions& options) {
  server::ServerOptions& serving = options.server;
  tell_of_links(options);
  if (!options.api_key_file.empty()) {
    serving.api_keys = value_or_fail(server::read_api_keys(options.api_key_file));
  }
  keep_standard_descriptors();
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t signals = end_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // in all threads that are begun from here

  auto server = value_or_fail(server::Server::start(serving, sources(options)));
  announce(options, *server);
  std::jthread follower([&](std::stop_token stop) { follow_signals(stop, *server); });
  Result<bool> whole = server->wait();
  follower.request_stop();
  follower.join();
  // A model that is still being read is not waited for.
  if (whole && server->is_loading()) std::_Exit(EXIT_SUCCESS);
  server.reset();
  if (!value_or_fail(std::move(whole))) {
    throw CommandFailed("stopped before all requests were answered");
  }
}

}  // namespace

void add_serve(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Answer HTTP requests, streaming text");
  add_serve_options(*command, *options);
  command->footer(
      "Options may also stand in a --config file of TOML, in a section [serve], without their "
      "dashes; and\n"
      "in the environment. What is not known there stops the start. SIGTERM or SIGINT lets running "
      "requests finish; a second one does not.\n"
      "Examples:\n"
      "  chorus serve --model gpt2\n"
      "  curl -N 'http://127.0.0.1:4444/generate/Once%20upon%20a%20time?seed=42'\n"
      "  curl http://127.0.0.1:4444/v1/completions -d '{\"prompt\": \"Once\", \"max_tokens\": "
      "20}'");
  command->callback([options] { run(*options); });
}

}  // namespace chorus::cli

// `chorus serve`: the HTTP server, until a signal ends it. It knows no routes.

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <thread>
#include <utility>

#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/option_checks.h"
#include "cli/serve_check.h"
#include "cli/serve_memory.h"
#include "cli/serve_models.h"
#include "cli/serve_options.h"
#include "server/api/callers.h"
#include "server/log.h"
#include "server/server.h"
#include "server/service_manager.h"

namespace chorus::cli {
namespace {

// What clients had held goes back to the system when they are gone. Left alone, glibc takes buffers of up to
// 32 MiB from its heaps as soon as one was freed, and each thread's heap keeps what lies below the last.
void give_memory_back() {
#if defined(__GLIBC__)
  constexpr int kFromTheSystem = 128 * 1024, kHeaps = 2;
  ::mallopt(M_MMAP_THRESHOLD, kFromTheSystem);
  ::mallopt(M_TRIM_THRESHOLD, kFromTheSystem);
  ::mallopt(M_ARENA_MAX, kHeaps);
#endif
}

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

sigset_t signals_of(std::initializer_list<int> numbers) {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (int number : numbers) ::sigaddset(&signals, number);
  return signals;
}

// In this thread and all that it begins: what follow_signals() does with them is later.
void block(std::initializer_list<int> numbers) {
  sigset_t signals = signals_of(numbers);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

// What systemd is told of the server while it runs. One thread.
class ServiceState {
 public:
  // Ready once the models are there; until then that it takes longer.
  void follow(const server::Server& server) {
    if (is_ready_) return;
    auto now = std::chrono::steady_clock::now();
    if (server.is_ready()) {
      is_ready_ = true;
      server::notify_service_manager("READY=1\nSTATUS=ready");
    } else if (server.is_loading() && now >= next_) {
      next_ = now + std::chrono::seconds(10);
      server::notify_service_manager("EXTEND_TIMEOUT_USEC=60000000\nSTATUS=loading");
    }
  }
  void reload(server::Server& server, bool is_draining) {
    bool is_told = is_ready_ && !is_draining;
    if (is_told) server::notify_service_manager(server::reloading_message());
    server.reload();
    if (is_told) server::notify_service_manager("READY=1");
  }

 private:
  bool is_ready_ = false;
  std::chrono::steady_clock::time_point next_;
};

// SIGHUP reads keys and certificates again. Of the others the first drains the server, the second
// stops it.
void follow_signals(std::stop_token stop, server::Server& server, server::Log& log) {
  sigset_t signals = signals_of({SIGTERM, SIGINT, SIGHUP});
  timespec wait{0, 100'000'000};
  bool is_draining = false;
  ServiceState state;
  while (!stop.stop_requested()) {
    int number = ::sigtimedwait(&signals, nullptr, &wait);
    if (!is_draining) state.follow(server);
    if (number < 0) continue;
    const char* name = number == SIGHUP ? "SIGHUP" : number == SIGTERM ? "SIGTERM" : "SIGINT";
    if (number == SIGHUP) {
      log.write(server::LogLevel::kInfo, "SIGHUP: keys and certificates are read again");
      state.reload(server, is_draining);
    } else if (is_draining) {
      log.write(server::LogLevel::kWarning, fmt::format("{} again: stopping at once", name));
      return server.stop();
    } else {
      is_draining = true;
      log.write(server::LogLevel::kInfo, fmt::format("{}: draining", name));
      server::notify_service_manager("STOPPING=1\nSTATUS=draining");
      server.drain();
    }
  }
}

// To standard error, which may be gone or full: that is nobody's fault here.
void say(const ServeOptions& options, server::LogLevel level, const std::string& message) {
  bool as_json = options.server.log_json;
  std::fputs((as_json ? server::json_log_lines(level, message) : message + "\n").c_str(), stderr);
}

void announce(const ServeOptions& options, const server::Server& server) {
  const server::ServerOptions& serving = options.server;
  bool is_inherited = !serving.inherited_sockets.empty();
  for (std::string address : server.addresses()) {
    bool is_tcp = address.find("://") != std::string::npos;
    const char* remark = "";
    if (is_inherited && address != serving.unix_socket) {
      remark = " (given to this process, in place of --host and --port)";
    } else if (is_tcp && server::is_loopback(serving.host)) {
      remark = " (this machine only; --host 0.0.0.0 is for all)";
    }
    say(options, server::LogLevel::kInfo,
        fmt::format("Listening on {}{}{}", address,
                    serving.listens_when_ready() ? ", once the models are loaded" : "", remark));
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
  tell_of_links(options);
  if (options.check) return check_serve(options);
  options.server.inherited_sockets = value_or_fail(server::inherited_sockets());
  keep_standard_descriptors();
  give_memory_back();
  ::signal(SIGPIPE, SIG_IGN);
  block({SIGTERM, SIGINT});

  auto log = std::make_shared<server::Log>(options.server.log_level, options.server.log_json);
  ServeMemory memory = value_or_fail(plan_memory(options));
  auto server =
      value_or_fail(server::Server::start(options.server, model_sources(options, log), log));
  announce(options, *server);
  if (!memory.text.empty()) log->write(server::LogLevel::kInfo, memory.text);
  std::jthread follower([&](std::stop_token stop) { follow_signals(stop, *server, *log); });
  Result<bool> whole = server->wait();
  follower.request_stop();
  follower.join();
  if (whole) {
    log->write(server::LogLevel::kInfo, whole.assume_value() ? "stopped: all requests were answered"
                                                             : "stopped: requests were cut");
  }
  // A model that is still being read is not waited for.
  if (whole && server->is_loading()) {
    log->settle(std::chrono::milliseconds(200));
    std::_Exit(EXIT_SUCCESS);
  }
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
      "requests\n"
      "finish; a second one does not. SIGHUP reads keys and certificates again.\n"
      "Examples:\n"
      "  chorus serve --model gpt2\n"
      "  curl -N 'http://127.0.0.1:4444/generate/Once%20upon%20a%20time?seed=42'\n"
      "  curl http://127.0.0.1:4444/v1/completions -d '{\"prompt\": \"Once\", \"max_tokens\": "
      "20}'");
  command->callback([options] { run(*options); });
}

}  // namespace chorus::cli

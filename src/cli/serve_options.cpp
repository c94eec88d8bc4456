#include "cli/serve_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "cli/environment.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "server/http/client_address.h"

namespace chorus::cli {
namespace {

constexpr const char* kListening = "Listening";
constexpr const char* kLimits = "Limits";
constexpr const char* kAccess = "Who may, and how";
constexpr const char* kLogging = "Log (standard error)";

// Without what CLI11 would add to the help.
CLI::Validator plain(CLI::Validator validator) { return std::move(validator.description("")); }

// "0660", "660"; empty: they are none.
std::optional<unsigned> octal(const std::string& text) {
  unsigned value = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  bool is_whole = error == std::errc() && stop == text.data() + text.size();
  return is_whole && value <= 0777 ? std::optional(value) : std::nullopt;
}

CLI::Validator permissions() {
  auto check = [](const std::string& text) -> std::string {
    if (octal(text)) return {};
    return fmt::format("expected octal digits from 0 to 0777, found \"{}\"", text);
  };
  return {check, ""};
}

CLI::Validator trusted_proxy() {
  auto check = [](const std::string& text) -> std::string {
    auto parsed = server::TrustedProxies::parse({text});
    return parsed ? std::string() : parsed.assume_error().message;
  };
  return {check, ""};
}

// A time in seconds, which may be a fraction.
void add_seconds(CLI::App& command, const std::string& name, std::chrono::milliseconds& value,
                 const std::string& help) {
  std::string full =
      fmt::format("{} (default: {})", help, std::chrono::duration<double>(value).count());
  command
      .add_option_function<double>(
          name,
          [&value](double seconds) {
            value = std::chrono::milliseconds(std::llround(seconds * 1000.0));
          },
          full)
      ->check(plain(CLI::Range(0.001, 1e6)))
      ->type_name("SECONDS")
      ->group(kLimits);
}

CLI::Option* add_size(CLI::App& command, const std::string& name, std::size_t& value,
                      const std::string& help, const std::string& unless_given) {
  return command.add_option(name, value, fmt::format("{} (default: {})", help, unless_given))
      ->transform(plain(CLI::AsSizeValue(false)))
      ->type_name("SIZE")
      ->group(kLimits);
}

void add_listening(CLI::App& command, server::ServerOptions& serving) {
  command
      .add_option(
          "--host", serving.host,
          "Address or name to listen on, of a name all addresses; 0.0.0.0 for all of version "
          "4, [::] for all of both (default: 127.0.0.1)")
      ->transform(not_empty("an address"))
      ->type_name("ADDRESS")
      ->group(kListening);
  command.add_option("--port", serving.port, "TCP port; 0: any that is free (default: 4444)")
      ->transform(whole_number(0, 65535))
      ->type_name("PORT")
      ->group(kListening);
  command.add_option("--unix-socket", serving.unix_socket, "Listen on this path, too")
      ->transform(not_empty("a path"))
      ->type_name("PATH")
      ->group(kListening);
  command
      .add_option_function<std::string>(
          "--unix-socket-mode",
          [&serving](const std::string& text) { serving.unix_socket_mode = octal(text); },
          "Its permissions in octal digits: 0660 for its user and group (default: as the umask "
          "says)")
      ->check(permissions())
      ->type_name("MODE")
      ->group(kListening);
  command
      .add_flag("--reuse-port", serving.reuse_port,
                "Listen where another server does, too: a new one is started beside the old, which "
                "then is ended (SIGTERM), and no request is lost")
      ->group(kListening);
  command
      .add_flag_callback(
          "--no-tcp", [&serving] { serving.tcp = false; }, "Listen on the Unix socket only")
      ->group(kListening);
  command.add_option("--io-threads", serving.io_threads, "Threads for connections (default: 2)")
      ->transform(whole_number(1, 64))
      ->type_name("N")
      ->group(kListening);
  auto* certificate = command
                          .add_option("--tls-cert", serving.tls_certificate,
                                      "PEM file of the certificate chain: HTTPS")
                          ->transform(not_empty("a path"))
                          ->type_name("PATH")
                          ->group(kListening);
  auto* key = command.add_option("--tls-key", serving.tls_key, "PEM file of its key")
                  ->transform(not_empty("a path"))
                  ->type_name("PATH")
                  ->group(kListening);
  certificate->needs(key);
  key->needs(certificate);
}

void add_limits(CLI::App& command, ServeOptions& options) {
  server::ServerOptions& serving = options.server;
  command
      .add_option("--max-queue", options.engine.max_queue,
                  "Samples that may wait; more are answered with 429 (default: 1024)")
      ->transform(whole_number(1, 1'000'000))
      ->type_name("N")
      ->group(kLimits);
  command
      .add_option("--max-connections", serving.http.max_connections,
                  "More are answered with 503 (default: 4096)")
      ->transform(whole_number(1, 1'000'000))
      ->type_name("N")
      ->group(kLimits);
  command
      .add_option(
          "--max-connections-per-address", serving.http.max_connections_per_address,
          "Of one address (of IPv6 one /64 network, and whoever uses the Unix socket) that is "
          "no --trusted-proxy; more are answered with 429 (default: as many as places are "
          "free, so half of --max-connections for one alone)")
      ->transform(whole_number(1, 1'000'000))
      ->type_name("N")
      ->group(kLimits);
  add_size(command, "--max-header", serving.http.max_header,
           "A request's head, with the prompt of /generate", "32KiB");
  add_size(command, "--max-body", serving.http.max_body, "A request's body", "1MiB");
  add_size(command, "--max-answer", serving.max_answer,
           "An answer, as choices, tokens and log-probabilities will make it", "32MiB");
  add_size(command, "--max-buffer", serving.http.max_buffer,
           "What may wait for a slow reader before it is cut off", "256KiB");
  add_size(command, "--max-buffer-total", serving.http.max_buffer_total,
           "What may be held for all clients: what they sent, and answers not yet read",
           "512MiB, or a quarter of what the models leave, if that is less")
      ->each([&options](const std::string&) { options.is_buffer_total_given = true; });
  add_seconds(command, "--first-byte-timeout", serving.http.first_byte_timeout,
              "For a new connection's first byte (with --idle-timeout, the shorter)");
  add_seconds(command, "--header-timeout", serving.http.header_timeout,
              "For a request's head to arrive");
  add_seconds(command, "--idle-timeout", serving.http.idle_timeout,
              "For a body to arrive; for a reader to take anything");
  add_seconds(command, "--keep-alive-timeout", serving.http.keep_alive_timeout,
              "Between the requests of a connection");
  add_seconds(command, "--request-timeout", serving.http.request_timeout,
              "For a request to be answered");
  add_seconds(command, "--drain-timeout", serving.drain_timeout,
              "For running requests to finish after SIGTERM");
}

void add_access(CLI::App& command, ServeOptions& options) {
  server::ServerOptions& serving = options.server;
  command
      .add_option("--api-key-file", serving.api_key_file,
                  "File of keys, one a line: requests need Authorization: Bearer KEY")
      ->transform(not_empty("a path"))
      ->type_name("PATH")
      ->group(kAccess);
  command
      .add_option("--cors-origin", serving.http.cors_origins,
                  "Web pages of this origin may ask; *: of any; may be given several times "
                  "(default: none)")
      ->type_name("ORIGIN")
      ->take_all()
      ->group(kAccess);
  command
      .add_option("--allowed-host", serving.allowed_hosts,
                  "A name that requests may be sent to, beside localhost, where the server is on "
                  "loopback and asks for no key; *: any; may be given several times")
      ->type_name("HOST")
      ->take_all()
      ->group(kAccess);
  command
      .add_option("--trusted-proxy", serving.http.trusted_proxies,
                  "Believe X-Forwarded-For of this address or network (10.0.0.0/8), or of whoever "
                  "connects to the Unix socket (unix); may be given several times (default: none)")
      ->transform(trusted_proxy())
      ->type_name("NETWORK")
      ->take_all()
      ->group(kAccess);
  auto* no_ui = command
                    .add_flag_callback(
                        "--no-ui", [&serving] { serving.ui = false; }, "Without the page at /")
                    ->group(kAccess);
  command
      .add_option("--ui-dir", serving.ui_dir,
                  "Serve the page from this folder, for those who work on it")
      ->transform(not_empty("a path"))
      ->type_name("PATH")
      ->excludes(no_ui)
      ->group(kAccess);
  command.add_option("--static-dir", serving.static_dir, "Folder whose files are served, too")
      ->transform(not_empty("a path"))
      ->type_name("PATH")
      ->group(kAccess);
}

void add_manners(CLI::App& command, server::ServerOptions& serving) {
  command
      .add_option_function<std::string>(
          "--chat-template",
          [&serving](const std::string& name) {
            auto parsed = server::read_chat_template_option(name);
            if (!parsed) throw CLI::ValidationError(parsed.assume_error().message);
            serving.chat_template = std::move(parsed.assume_value());
          },
          "Answer /v1/chat/completions. How messages become a prompt: model: by each model's own "
          "template in Jinja; the path of a file with one; plain: their contents, joined by a "
          "line's "
          "end (default: there are no chats)")
      ->type_name("plain|model|PATH")
      ->group(kAccess);
  command
      .add_flag("--early-head", serving.early_head,
                "Send a stream's head at once, and comments while it waits in the queue; a "
                "deadline or a failure is then told in the stream (default: its head comes with "
                "the first token, and errors have their status)")
      ->group(kAccess);
}

void add_logging(CLI::App& command, server::ServerOptions& serving) {
  command
      .add_option("--log-level", serving.log_level,
                  "debug, info, warn, error or off (default: info)")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}))
      ->type_name("LEVEL")
      ->group(kLogging);
  command.add_flag("--log-json", serving.log_json, "A JSON object a line")->group(kLogging);
  command
      .add_flag("--log-prompts", serving.http.log_targets,
                "Log the targets of requests, which hold prompts (default: only the routes)")
      ->group(kLogging);
}

// The path, or an empty one for the model in this program, which is asked for as "storyteller"
// where nothing of that name exists.
std::string embedded_or(const std::string& path) {
  std::error_code ignored;
  bool is_embedded = path == "storyteller" && !std::filesystem::exists(path, ignored);
  return is_embedded ? std::string() : path;
}

}  // namespace

NamedModel parse_named_model(const std::string& text) {
  std::error_code ignored;
  std::size_t equals = text.find('=');
  bool is_path = equals == std::string::npos || std::filesystem::exists(text, ignored);
  if (!is_path) return {text.substr(0, equals), embedded_or(text.substr(equals + 1))};
  if (embedded_or(text).empty()) return {text, {}};
  std::filesystem::path path(text);
  while (!path.has_filename() && path.has_parent_path() && path != path.parent_path()) {
    path = path.parent_path();  // of "folder/"
  }
  bool is_file = std::filesystem::is_regular_file(text, ignored);
  return {is_file ? path.stem().string() : path.filename().string(), text};
}

void add_serve_options(CLI::App& command, ServeOptions& options) {
  command
      .add_option_function<std::vector<std::string>>(
          "--model,-m",
          [&options](const std::vector<std::string>& texts) {
            options.models.clear();
            for (const std::string& text : texts) options.models.push_back(parse_named_model(text));
          },
          "Checkpoint file, Hugging Face folder, or name, as generate --model takes it; with NAME= "
          "in front, clients ask for that name; may be given several times, the first is the "
          "default " +
              default_model_help())
      ->type_name("[NAME=]PATH|NAME")
      ->take_all()
      ->expected(1);
  add_engine_options(command, options.engine);
  options.engine.keep_mapped = false;
  add_listening(command, options.server);
  add_limits(command, options);
  add_access(command, options);
  add_manners(command, options.server);
  add_logging(command, options.server);
  // Of the command line alone: a server that is checked does not serve.
  command
      .add_flag(
          "--check", options.check,
          "Read the configuration, keys, certificates and the models' headers, say what would "
          "be served, and end: 0 if all of it is right")
      ->configurable(false);
  for (CLI::Option* option : command.get_options()) {
    std::string name = option->get_name();
    if (name.starts_with("--") && option->get_configurable())
      option->envname(environment_name(name));
  }
  command.fallthrough();  // to the program's --config
}

}  // namespace chorus::cli

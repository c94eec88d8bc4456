#include "cli/serve_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/model_source.h"
#include "cli/output.h"
#include "cli/serve_memory.h"
#include "core/system_error.h"
#include "hub/hub.h"
#include "server/api/api_keys.h"
#include "server/api/callers.h"
#include "server/http/listener.h"
#include "server/http/static_files.h"
#include "server/http/tls_context.h"
#include "server/server.h"

namespace chorus::cli {
namespace {

class Check {
 public:
  explicit Check(const ServeOptions& options) : options_(options), server_(options.server) {}

  void run() {
    look_at_addresses();
    look_at_keys();
    look_at_folders();
    look_at_models();
    for (const std::string& line : lines_) write_output(line + "\n");
    if (!mistakes_.empty()) throw CommandFailed(fmt::format("{}", fmt::join(mistakes_, "\n")));
  }

 private:
  template <class... Arguments>
  void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    lines_.push_back(fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  void wrong(const Error& error) { mistakes_.push_back(error.message); }

  void look_at_addresses() {
    bool has_tls = !server_.tls_certificate.empty();
    if (server_.tcp) {
      auto addresses = server::addresses_of(server_.host);
      if (!addresses) wrong(addresses.assume_error());
      for (const auto& address : addresses ? addresses.assume_value() : Addresses{}) {
        std::string text = address.to_string();
        say("address: {}://{}:{}", has_tls ? "https" : "http",
            address.is_v6() ? "[" + text + "]" : text,
            server_.port == 0 ? "any port that is free" : std::to_string(server_.port));
      }
    }
    if (!server_.unix_socket.empty()) {
      say("address: {}", server_.unix_socket);
      auto folder = std::filesystem::path(server_.unix_socket).parent_path();
      std::string place = folder.empty() ? "." : folder.string();
      if (::access(place.c_str(), W_OK | X_OK) != 0) wrong(system_error(place, errno));
    }
    if (!server_.tcp && server_.unix_socket.empty()) {
      mistakes_.push_back("--no-tcp: expected --unix-socket, too: there is nothing to listen on");
    }
    if (has_tls) {
      auto tls = server::TlsContext::read(server_.tls_certificate, server_.tls_key);
      if (!tls) return wrong(tls.assume_error());
      auto certificate = tls.assume_value()->describe();
      say("certificate: {}", certificate.text);
      if (!certificate.is_valid_now) {
        mistakes_.push_back(server_.tls_certificate +
                            ": the certificate does not hold now: " + certificate.text);
      }
    }
  }

  void look_at_keys() {
    if (server_.api_key_file.empty()) {
      bool is_local = !server_.tcp || server::is_loopback(server_.host);
      return say("keys: none; {} may ask", is_local ? "everybody on this machine" : "EVERYBODY");
    }
    auto keys = server::read_api_keys(server_.api_key_file);
    if (!keys) return wrong(keys.assume_error());
    say("keys: {} of {}", keys.assume_value().size(), server_.api_key_file);
  }

  void look_at_folders() {
    look_at_folder("files", server_.static_dir);
    look_at_folder("page", server_.ui_dir);
  }

  void look_at_folder(const char* what, const std::string& folder) {
    if (folder.empty()) return;
    auto files = server::StaticFiles::open(folder);
    if (!files) return wrong(files.assume_error());
    say("{}: {}", what, folder);
  }

  void look_at_models() {
    std::vector<server::ModelSource> named;
    for (const NamedModel& model : options_.models) named.push_back({model.name, {}});
    if (auto names = server::check_model_names(named); !names) wrong(names.assume_error());
    for (const NamedModel& model : options_.models) look_at(model);
    ServeOptions planned = options_;
    auto memory = plan_memory(planned);
    if (!memory) return wrong(memory.assume_error());
    if (!memory.assume_value().text.empty()) lines_.push_back(memory.assume_value().text);
  }

  void look_at(const NamedModel& model) {
    std::error_code ignored;
    std::string path = model.path;
    if (hub::is_model_name(path) && !std::filesystem::exists(path, ignored)) {
      auto cached = hub::find_in_cache(path);
      if (!cached) return wrong(cached.assume_error());
      if (cached.assume_value().empty()) {
        return say("model {}: {}, to be fetched: nothing is known of it yet", model.name, path);
      }
      path = cached.assume_value();
    }
    auto opened = open_model(path, options_.engine.open);
    if (!opened) return wrong(std::move(opened.assume_error()).in(model.name));
    const checkpoint::Checkpoint& checkpoint = opened.assume_value();
    say("model {}: {} ({}, {:.1f} M parameters, block {}, {})", model.name, checkpoint.path,
        checkpoint.format, static_cast<double>(checkpoint.parameter_count()) * 1e-6,
        checkpoint.config.block_size,
        checkpoint.tokenizer ? checkpoint.tokenizer->description() : "no tokenizer: ids alone");
    for (const std::string& note : checkpoint.notes) say("model {}: note: {}", model.name, note);
  }

  using Addresses = std::vector<boost::asio::ip::address>;

  const ServeOptions& options_;
  const server::ServerOptions& server_;
  std::vector<std::string> lines_, mistakes_;
};

}  // namespace

void check_serve(const ServeOptions& options) { Check(options).run(); }

}  // namespace chorus::cli

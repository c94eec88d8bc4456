// Everything that the server can be told, with its defaults. Plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/api/chat_template.h"
#include "server/http/http_options.h"

namespace chorus::server {

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 4444;     // 0: any that is free
  std::string unix_socket = {};  // a path, listened on beside the port; empty: none
  // Beside other processes' sockets on this port, and in place of another's at this path.
  bool reuse_port = false;
  std::optional<unsigned> unix_socket_mode = {};  // who may connect; empty: as the umask says
  bool tcp = true;                                // false: the Unix socket only
  // Descriptors that listen already, in place of host and port. The server closes them.
  std::vector<int> inherited_sockets = {};

  // Where another process answers until this one is ready, or connections wait for it, none should
  // be answered that the model is being loaded.
  bool listens_when_ready() const { return reuse_port || !inherited_sockets.empty(); }
  std::size_t io_threads = 2;

  HttpOptions http = {};
  std::size_t max_answer = 32 * 1024 * 1024;  // bytes of an answer that may be asked for
  // A stream's head is sent at once, and comments while it waits for its first token; an error is
  // then told in the stream, not by its status.
  bool early_head = false;
  std::chrono::milliseconds comment_every{5'000};
  ChatTemplateOption chat_template = {};
  std::chrono::milliseconds drain_timeout{30'000};  // for running requests, at SIGTERM

  // Names, beside loopback's, that clients of a server on loopback without keys may call it by.
  std::vector<std::string> allowed_hosts = {};
  std::vector<std::string> api_keys = {};          // empty: everybody may
  std::string api_key_file = {};                   // in place of them; read again by reload()
  std::string tls_certificate = {}, tls_key = {};  // PEM files; empty: no TLS
  std::string static_dir = {};                     // empty: none
  bool ui = true;                                  // the page at /, and what belongs to it
  std::string ui_dir = {};                         // its files, instead of those in the program

  std::string log_level = "info";  // debug, info, warn, error or off
  bool log_json = false;
};

}  // namespace chorus::server

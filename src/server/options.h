// Everything that the server can be told, with its defaults. It contains the engine's options,
// never the reverse. Plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace chorus::server {

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 4444;     // 0: any that is free
  std::string unix_socket = {};  // a path, listened on beside the port; empty: none
  bool tcp = true;               // false: the Unix socket only
  std::size_t io_threads = 2;

  // Of connections and requests.
  std::size_t max_connections = 4096;
  std::size_t max_header = 32 * 1024;   // bytes of a request's head; its target is among them
  std::size_t max_body = 1024 * 1024;   // bytes
  std::size_t max_buffer = 256 * 1024;  // bytes that wait for a slow reader, here and in its socket
  std::chrono::milliseconds header_timeout{10'000};    // from its first byte to its last
  std::chrono::milliseconds idle_timeout{60'000};      // between requests; for a body; for a write
  std::chrono::milliseconds request_timeout{600'000};  // from the head to the end of the answer
  std::chrono::milliseconds drain_timeout{30'000};     // for running requests, at SIGTERM

  std::vector<std::string> api_keys = {};          // empty: everybody may
  std::vector<std::string> cors_origins = {};      // "*": every page; empty: none
  std::string tls_certificate = {}, tls_key = {};  // PEM files; empty: no TLS
  std::string static_dir = {};                     // empty: none

  std::string log_level = "info";  // debug, info, warn, error or off
  bool log_json = false;
  bool log_prompts = false;  // request targets with prompts and queries in the access log
};

}  // namespace chorus::server

// What connections are allowed, with its defaults. Plain data.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace chorus::server {

struct HttpOptions {
  std::size_t max_connections = 4096;
  // Of one address (of version 6: of one /64 network) that is no trusted proxy's. 0: as many as places
  // are free, which for one alone is half of them.
  std::size_t max_connections_per_address = 0;
  std::size_t max_header = 32 * 1024;   // bytes of a request's head; its target is among them
  std::size_t max_body = 1024 * 1024;   // bytes
  std::size_t max_buffer = 256 * 1024;  // bytes that wait for a slow reader, here and in its socket
  // Bytes that are held for all clients together: what they sent, and answers not yet read.
  std::size_t max_buffer_total = 512 * 1024 * 1024;
  std::chrono::milliseconds first_byte_timeout{10'000};  // of a new connection
  std::chrono::milliseconds header_timeout{10'000};      // from its first byte to its last
  std::chrono::milliseconds idle_timeout{60'000};        // for a body; for a write
  std::chrono::milliseconds keep_alive_timeout{75'000};  // between requests
  std::chrono::milliseconds request_timeout{600'000};    // from the head to the end of the answer

  std::vector<std::string> cors_origins = {};  // "*": every page; empty: none
  // Proxies whose X-Forwarded-For is believed, as TrustedProxies has them.
  std::vector<std::string> trusted_proxies = {};
  bool log_targets = false;  // requests' targets, which hold prompts, are told to the observer
};

}  // namespace chorus::server

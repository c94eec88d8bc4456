// Bytes of a connection become requests: Boost.Beast's parser, and what it lets pass refused, so
// that no other program in front can read the same bytes in another way (request smuggling). It
// knows no sockets. One for each connection, one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "server/http/http_error.h"
#include "server/http/http_request.h"

namespace chorus::server {

struct ReaderLimits {
  std::size_t header;  // bytes of the head
  std::size_t body;    // bytes
};

class RequestReader {
 public:
  explicit RequestReader(ReaderLimits limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Reads from the beginning of `bytes`: what the last call left, and what came after. Returns how
  // many were used. Errors (after which the connection can only be closed): 400, 413 (body), 431
  // (head), 501 (a transfer coding or method that is not known), 505.
  HttpResult<std::size_t> put(std::string_view bytes);

  bool has_begun() const;  // bytes of a request were seen
  bool head_is_done() const;
  bool is_done() const;

  // Of the body that was read so far.
  std::size_t body_bytes() const;
  // The request's head once head_is_done(), and all of it once is_done().
  HttpRequest& request();
  void reset();  // for the next request

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace chorus::server

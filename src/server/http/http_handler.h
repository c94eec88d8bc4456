// Who answers the requests that connections read. The connections know no route and no engine: they
// are given this.
//
// Thread contract: called by every loop, in coroutines of their connections.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string_view>

#include "server/http/http_error.h"

namespace chorus::server {

class Exchange;

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // Answers the exchange's request, wholly or until its client is gone.
  virtual boost::asio::awaitable<void> answer(Exchange& exchange) = 0;
  // Answers what could not be read as a request, or must not be read further.
  virtual boost::asio::awaitable<void> refuse(Exchange& exchange, const HttpError& error) = 0;
  // The headers of answers that web pages of other origins may read, as CORS lists them.
  virtual std::string_view exposed_headers() const = 0;
};

}  // namespace chorus::server

// Who answers the requests that connections read. The connections know no route and no engine: they
// are given this.
//
// Thread contract: called by every loop, in coroutines of their connections.
#pragma once

#include <optional>
#include <string_view>

#include "server/http/http_error.h"
#include "server/http/http_request.h"
#include "server/http/task.h"

namespace chorus::server {

class Exchange;

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // What is the matter with a request whose head alone was read, if anything: then its body is not.
  virtual std::optional<HttpError> check_head(const HttpRequest& request) const = 0;
  // Whether the request is answered even where there are too many connections: a health check.
  virtual bool is_for_everybody(const HttpRequest& request) const = 0;
  // Answers the exchange's request, wholly or until its client is gone.
  virtual Task<void> answer(Exchange& exchange) = 0;
  // Answers what could not be read as a request, or must not be read further.
  virtual Task<void> refuse(Exchange& exchange, const HttpError& error) = 0;
  // The headers of answers that web pages of other origins may read, as CORS lists them.
  virtual std::string_view exposed_headers() const = 0;
};

}  // namespace chorus::server

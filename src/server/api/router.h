// Which route answers a request, and what holds for all of them: methods, keys, preflight requests,
// errors for what does not exist.
//
// Thread contract: any loop.
#pragma once

#include <optional>
#include <string_view>

#include "server/app.h"
#include "server/http/exchange.h"
#include "server/http/http_handler.h"
#include "server/http/task.h"

namespace chorus::server {

class Router : public HttpHandler {
 public:
  explicit Router(App& app);

  std::optional<HttpError> check_head(const HttpRequest& request) const override;
  bool is_for_everybody(const HttpRequest& request) const override;
  Task<void> answer(Exchange& exchange) override;
  Task<void> refuse(Exchange& exchange, const HttpError& error) override;
  std::string_view exposed_headers() const override;

 private:
  App& app_;
  const bool is_loopback_;  // the server's host
};

}  // namespace chorus::server

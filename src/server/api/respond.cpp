#include "server/api/respond.h"

#include <utility>

namespace chorus::server {

namespace asio = boost::asio;

asio::awaitable<void> respond_json(Exchange& exchange, std::string_view body) {
  co_await exchange.respond(ResponseHead(200, "application/json"), body);
}

void note_error(Exchange& exchange, const ApiError& error) {
  exchange.error = {error.param, error.code, error.message};
}

asio::awaitable<void> respond_error(Exchange& exchange, const ApiError& error) {
  note_error(exchange, error);
  ResponseHead head(error.status, "application/json");
  if (error.status == 429 || error.status == 503) head.headers.emplace_back("Retry-After", "1");
  if (error.status == 401) head.headers.emplace_back("WWW-Authenticate", "Bearer");
  co_await exchange.respond(std::move(head), to_json(error) + "\n");
}

}  // namespace chorus::server

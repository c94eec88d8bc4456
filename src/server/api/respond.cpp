#include "server/api/respond.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace chorus::server {

std::string header_value(std::string_view text) {
  std::string value;
  for (char c : text) value += c >= ' ' && c <= '~' ? c : '?';
  return value;
}

void tell_ignored(Exchange& exchange, const std::vector<std::string>& fields) {
  constexpr std::size_t kMostBytes = 1000;
  std::string names;
  for (const std::string& name : fields) {
    if (names.size() + name.size() > kMostBytes) {
      names += names.empty() ? "..." : ", ...";
      break;
    }
    names += (names.empty() ? "" : ", ") + header_value(name);
  }
  if (!names.empty()) exchange.headers.emplace_back("X-Ignored-Fields", names);
}

Task<void> respond_json(Exchange& exchange, std::string_view body) {
  co_await exchange.respond(ResponseHead(200, "application/json"), body);
}

namespace {

// Between quotes stands what the client sent: a path, for example, that holds a prompt.
std::string without_quoted(std::string message) {
  std::size_t first = message.find('"'), last = message.rfind('"');
  if (first != last) message.replace(first + 1, last - first - 1, "...");
  return message;
}

std::string without(const std::string& shown, std::string text) {
  std::size_t place = shown.empty() ? std::string::npos : text.find(shown);
  if (place != std::string::npos) text.replace(place, shown.size(), "...");
  return text;
}

}  // namespace

void note_error(Exchange& exchange, const ApiError& error) {
  bool is_whole = exchange.service().options.log_targets;
  if (is_whole) {
    exchange.error = {error.param, error.code, error.message};
  } else {
    exchange.error = {without(error.shown, error.param), error.code,
                      without_quoted(without(error.shown, error.message))};
  }
}

ApiError not_done(Exchange& exchange) {
  constexpr int kClientGone = 499;
  if (exchange.connection().is_gone()) return ApiError(kClientGone, "the client went away");
  std::chrono::duration<double> most = exchange.service().options.request_timeout;
  return ApiError(504, fmt::format("the request was not done within {} s", most.count()), {},
                  "timeout");
}

Task<void> respond_error(Exchange& exchange, ApiError error) {
  note_error(exchange, error);
  ResponseHead head(error.status, "application/json");
  if (error.status == 429 || error.status == 503) head.headers.emplace_back("Retry-After", "1");
  if (error.status == 401) head.headers.emplace_back("WWW-Authenticate", "Bearer");
  co_await exchange.respond(std::move(head), to_json(error) + "\n");
}

}  // namespace chorus::server

#include "server/api/router.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "server/api/callers.h"
#include "server/api/respond.h"
#include "server/api/routes.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

struct Route {
  const char* pattern;    // as logs and metrics name it
  std::string_view path;  // the whole of it; or, ending with '*', its beginning
  const char* method;     // GET (and with it HEAD) or POST
  asio::awaitable<void> (*answer)(App&, Exchange&);
  bool is_work = false;   // refused while draining, and without a key
  bool is_quiet = false;  // logged at debug level
};

constexpr Route kRoutes[] = {
    {"/generate/PROMPT", "/generate/*", "GET", generate, true},
    {"/generate/PROMPT", "/gpt2/generate/*", "GET", generate, true},
    {"/generate", "/generate", "POST", post_generate, true},
    {"/v1/completions", "/v1/completions", "POST", completions, true},
    {"/v1/score", "/v1/score", "POST", score, true},
    {"/v1/models", "/v1/models", "GET", list_models, true},
    {"/tokenize", "/tokenize", "POST", tokenize, true},
    {"/detokenize", "/detokenize", "POST", detokenize, true},
    {"/tokenizer_info", "/tokenizer_info", "GET", tokenizer_info, true},
    {"/health", "/health", "GET", health, false, true},
    {"/metrics", "/metrics", "GET", metrics, false, true},
    {"/plaintext", "/plaintext", "GET", plaintext, false, true},
    {"/", "/", "GET", front_page},
};
constexpr Route kFiles = {"files", "*", "GET", static_file};

bool matches(const Route& route, std::string_view path, std::string_view& rest) {
  if (!route.path.ends_with('*')) return path == route.path;
  std::string_view prefix = route.path.substr(0, route.path.size() - 1);
  if (!path.starts_with(prefix)) return false;
  rest = path.substr(prefix.size());
  return true;
}

const Route& find(std::string_view path, std::string_view& rest) {
  for (const Route& route : kRoutes) {
    if (matches(route, path, rest)) return route;
  }
  return kFiles;
}

std::string allowed_methods(const Route& route) {
  return std::string_view(route.method) == "GET" ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
}

bool allows(const Route& route, std::string_view method) {
  return method == route.method || (method == "HEAD" && std::string_view(route.method) == "GET");
}

constexpr std::string_view kExposedHeaders =
    "X-Request-Id, X-Max-Length, X-Top-K, X-Seed, X-Model-Name, X-Model-Device, Retry-After";

// Built outside of coroutines, where GCC 12 does not get lists of initializers right.
ResponseHead options_head(Exchange& exchange, const std::string& methods) {
  ResponseHead head(204, {}, {{"Allow", methods}});
  if (!exchange.service().options.cors_origins.empty() &&
      !exchange.request().header("access-control-request-method").empty()) {
    head.headers.emplace_back("Access-Control-Allow-Methods", methods);
    head.headers.emplace_back("Access-Control-Allow-Headers",
                              "Authorization, Content-Type, X-Request-Id");
    head.headers.emplace_back("Access-Control-Max-Age", "86400");
  }
  return head;
}

ResponseHead wrong_method_head(const std::string& methods) {
  return ResponseHead(405, "application/json", {{"Allow", methods}});
}

asio::awaitable<void> refuse_method(Exchange& exchange, const std::string& methods) {
  ApiError error(405, fmt::format("the method: expected one of {}", methods));
  co_await exchange.respond(wrong_method_head(methods), to_json(error) + "\n");
}

// What holds for every route, by the head alone.
std::optional<ApiError> refusal(const App& app, const Route& route, const HttpRequest& request) {
  if (auto error = refuse_page(request, app.options.http.cors_origins)) return error;
  if (route.is_work && !app.keys.allow(request.header("authorization"))) {
    return ApiError(401, "Authorization: expected Bearer and a key that is known", {},
                    "invalid_api_key");
  }
  return std::nullopt;
}

}  // namespace

// Only what would be refused whatever the body says: the rest has its turn, and its route in the
// log, in answer().
std::optional<HttpError> Router::check_head(const HttpRequest& request) const {
  if (request.target == "*") return std::nullopt;
  HttpResult<Target> target = parse_target(request.target);
  if (!target) return target.assume_error();
  std::string_view rest;
  const Route& route = find(target.assume_value().path, rest);
  if (request.method == "OPTIONS" || !allows(route, request.method)) return std::nullopt;
  std::optional<ApiError> error = refusal(app_, route, request);
  if (!error) return std::nullopt;
  return HttpError(error->status, error->message, error->code);
}

asio::awaitable<void> Router::answer(Exchange& exchange) {
  const HttpRequest& request = exchange.request();
  if (request.target == "*") {
    co_return co_await exchange.respond(options_head(exchange, "GET, HEAD, POST, OPTIONS"), "");
  }
  HttpResult<Target> target = parse_target(request.target);
  if (!target) co_return co_await respond_error(exchange, target.assume_error());
  exchange.target = std::move(target.assume_value());

  const Route& route = find(exchange.target.path, exchange.rest);
  exchange.route = route.pattern;
  exchange.is_quiet = route.is_quiet;
  std::string methods = allowed_methods(route);
  if (request.method == "OPTIONS") {
    co_return co_await exchange.respond(options_head(exchange, methods), "");
  }
  if (!allows(route, request.method)) co_return co_await refuse_method(exchange, methods);
  // Whoever asks through the Unix socket is on this machine, and no browser.
  bool any_host = app_.keys.are_asked_for() || !is_loopback(app_.options.host) ||
                  exchange.connection().peer() == "unix";
  if (auto error = any_host ? std::nullopt : refuse_host(request, app_.options.allowed_hosts)) {
    co_return co_await respond_error(exchange, *error);
  }
  if (auto error = refusal(app_, route, request)) {
    co_return co_await respond_error(exchange, *error);
  }
  if (route.is_work && exchange.service().draining) {
    co_return co_await respond_error(exchange,
                                     ApiError(503, "the server is stopping", {}, "draining"));
  }
  co_await route.answer(app_, exchange);
}

asio::awaitable<void> Router::refuse(Exchange& exchange, const HttpError& error) {
  HttpResult<Target> target = parse_target(exchange.request().target);
  std::string_view rest;
  if (target) exchange.route = find(target.assume_value().path, rest).pattern;
  co_await respond_error(exchange, ApiError(error));
}

std::string_view Router::exposed_headers() const { return kExposedHeaders; }

}  // namespace chorus::server

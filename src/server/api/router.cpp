#include "server/api/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "core/printable.h"
#include "server/api/callers.h"
#include "server/api/no_such_path.h"
#include "server/api/respond.h"
#include "server/api/routes.h"
#include "server/http/content_coding.h"
#include "server/http/cors.h"
#include "server/offload.h"

namespace chorus::server {
namespace {

struct Route {
  const char* pattern;    // as logs and metrics name it
  std::string_view path;  // the whole of it; or, ending with '*', its beginning
  const char* method;     // GET (and with it HEAD) or POST
  Task<void> (*answer)(App&, Exchange&);
  bool is_work = false;   // refused while draining, and without a key
  bool is_quiet = false;  // logged at debug level
};

constexpr Route kRoutes[] = {
    {"/generate/PROMPT", "/generate/*", "GET", generate, true},
    {"/generate/PROMPT", "/gpt2/generate/*", "GET", generate, true},
    {"/generate", "/generate", "GET", generate, true},
    {"/generate", "/generate", "POST", post_generate, true},
    {"/generate", "/gpt2/generate", "GET", generate, true},
    {"/generate", "/gpt2/generate", "POST", post_generate, true},
    {"/v1/completions", "/v1/completions", "POST", completions, true},
    {"/v1/completions/cancel", "/v1/completions/cancel", "POST", cancel_choice, true},
    {"/v1/chat/completions", "/v1/chat/completions", "POST", chat_completions, true},
    {"/v1/score", "/v1/score", "POST", score, true},
    {"/v1/models", "/v1/models", "GET", list_models, true},
    {"/v1/models/NAME", "/v1/models/*", "GET", show_model, true},
    {"/v1/limits", "/v1/limits", "GET", machine_limits, true},
    {"/tokenize", "/tokenize", "POST", tokenize, true},
    {"/detokenize", "/detokenize", "POST", detokenize, true},
    {"/tokenizer_info", "/tokenizer_info", "GET", tokenizer_info, true},
    {"/health", "/health", "GET", health, false, true},
    {"/metrics", "/metrics", "GET", metrics, false, true},
    {"/plaintext", "/plaintext", "GET", plaintext, false, true},
    {"/ui/NAME", "/ui/*", "GET", ui_file},
    {"/", "/", "GET", front_page},
};
constexpr Route kFiles = {"files", "*", "GET", static_file};

// What stands behind `prefix`, which ends with a slash, in the path; each other slash of the prefix
// may be several there. Nothing if the path does not begin so.
std::optional<std::string_view> behind(std::string_view path, std::string_view prefix) {
  while (!prefix.empty()) {
    if (!path.starts_with(prefix[0])) return std::nullopt;
    bool is_slash = prefix[0] == '/' && prefix.size() > 1;
    path.remove_prefix(is_slash ? std::min(path.find_first_not_of('/'), path.size()) : 1);
    prefix.remove_prefix(1);
  }
  return path;
}

bool matches(const Route& route, std::string_view path, std::string_view plain,
             std::string_view& rest) {
  if (!route.path.ends_with('*')) return plain == route.path;
  auto found = behind(path, route.path.substr(0, route.path.size() - 1));
  if (found) rest = *found;
  return found.has_value();
}

bool has_method(const Route& route, std::string_view method) {
  return method == route.method || (method == "HEAD" && std::string_view(route.method) == "GET");
}

struct Found {
  const Route* route;     // by path, and by method if one of the path's routes has it
  bool allows;            // it has
  std::string_view rest;  // of the path, behind a route's prefix
};

Found find(std::string_view path, std::string_view method) {
  bool is_plain =
      path.size() == 1 || (path.find("//") == std::string_view::npos && !path.ends_with('/'));
  std::string made_plain;
  if (!is_plain) made_plain = plain_path(path);
  std::string_view plain = is_plain ? path : std::string_view(made_plain);
  Found found{nullptr, false, {}};
  for (const Route& route : kRoutes) {
    if (!matches(route, path, plain, found.rest)) continue;
    if (has_method(route, method)) return {&route, true, found.rest};
    if (found.route == nullptr) found.route = &route;
  }
  if (found.route == nullptr) return {&kFiles, has_method(kFiles, method), path};
  return found;
}

// Of all routes with that one's path.
std::string allowed_methods(const Route& route) {
  std::string methods;
  for (const Route& one : kRoutes) {
    if (one.path != route.path) continue;
    methods += std::string_view(one.method) == "GET" ? "GET, HEAD, " : "POST, ";
  }
  if (methods.empty()) methods = "GET, HEAD, ";
  return methods + "OPTIONS";
}

constexpr auto kOffered = [] {
  std::array<OfferedRoute, std::size(kRoutes)> offered{};
  for (std::size_t i = 0; i < offered.size(); ++i) {
    offered[i] = {kRoutes[i].method, kRoutes[i].path};
  }
  return offered;
}();

constexpr std::string_view kExposedHeaders =
    "X-Request-Id, X-Max-Length, X-Top-K, X-Seed, X-Model-Name, X-Model-Requested, "
    "X-Model-Device, X-Ignored-Fields, X-Cancel-Id, Retry-After";

// Built outside of coroutines, where GCC 12 does not get lists of initializers right.
ResponseHead options_head(Exchange& exchange, const std::string& methods) {
  ResponseHead head(204, {}, {{"Allow", methods}});
  add_preflight(head, exchange.request(), exchange.service().options.cors_origins);
  return head;
}

ResponseHead wrong_method_head(const std::string& methods) {
  return ResponseHead(405, "application/json", {{"Allow", methods}});
}

Task<void> refuse_method(Exchange& exchange, std::string methods) {
  ApiError error(405, fmt::format("the method: expected one of {}", methods));
  note_error(exchange, error);
  co_await exchange.respond(wrong_method_head(methods), to_json(error) + "\n");
}

// What holds for every route, by the head alone.
std::optional<ApiError> refusal(const App& app, const Route& route, const HttpRequest& request) {
  if (auto error = refuse_page(request, app.options.http.cors_origins)) return error;
  if (route.is_work && !app.keys.allow(request)) {
    return ApiError(401,
                    "Authorization: expected Bearer and a key that is known (or X-Api-Key with it)",
                    {}, "invalid_api_key");
  }
  return std::nullopt;
}

bool has_coding(const HttpRequest& request) {
  return request.method == "POST" &&
         std::any_of(request.headers.begin(), request.headers.end(),
                     [](const auto& header) { return header.first == "content-encoding"; });
}

// Several headers of one name are one list (RFC 9110, 5.3).
std::string all_codings(const HttpRequest& request) {
  std::string codings;
  for (const auto& [name, value] : request.headers) {
    if (name == "content-encoding") codings += (codings.empty() ? "" : ", ") + value;
  }
  return codings;
}

// Takes the coding off the request's body. `held`: its share of what may be held for all clients.
Task<std::optional<ApiError>> decode_body(App& app, Exchange& exchange, HeldBytes& held) {
  const HttpRequest& request = exchange.request();
  std::string coding = all_codings(request);
  if (is_identity(coding)) co_return std::nullopt;
  std::size_t most = exchange.service().options.max_body;
  if (!held.resize(most)) co_return ApiError(buffers_full());
  std::optional<HttpResult<std::string>> decoded =
      co_await offload_for(app, exchange, [&request, &coding, most](const GivenUp&) {
        return decode_content(coding, request.body, most);
      });
  if (!decoded) co_return not_done(exchange);
  HttpResult<std::string>& body = *decoded;
  if (!body) {
    if (body.assume_error().status == 415) {
      exchange.headers.emplace_back("Accept-Encoding", "gzip, deflate");
    }
    co_return ApiError(body.assume_error());
  }
  (void)held.resize(body.assume_value().size());
  exchange.set_decoded(std::move(body.assume_value()));
  co_return std::nullopt;
}

Task<void> answer_coded(App& app, Exchange& exchange, const Route& route) {
  HeldBytes held = exchange.hold();
  if (auto error = co_await decode_body(app, exchange, held)) {
    co_return co_await respond_error(exchange, std::move(*error));
  }
  co_await route.answer(app, exchange);
}

}  // namespace

Router::Router(App& app) : app_(app), is_loopback_(is_loopback(app.options.host)) {}

// Only what would be refused whatever the body says: the rest has its turn, and its route in the
// log, in answer().
std::optional<HttpError> Router::check_head(const HttpRequest& request) const {
  if (request.target == "*") return std::nullopt;
  HttpResult<Target> target = parse_target(request.target);
  if (!target) return target.assume_error();
  Found found = find(target.assume_value().path, request.method);
  if (request.method == "OPTIONS" || !found.allows) return std::nullopt;
  std::optional<ApiError> error = refusal(app_, *found.route, request);
  if (!error) return std::nullopt;
  return HttpError(error->status, error->message, error->code);
}

bool Router::is_for_everybody(const HttpRequest& request) const {
  return request.target == "/health";
}

// No coroutine: what most requests take is not worth a frame.
Task<void> Router::answer(Exchange& exchange) {
  const HttpRequest& request = exchange.request();
  if (request.target == "*") {
    return exchange.respond(options_head(exchange, "GET, HEAD, POST, OPTIONS"), "");
  }
  HttpResult<Target> target = parse_target(request.target);
  if (!target) return respond_error(exchange, target.assume_error());
  exchange.target = std::move(target.assume_value());

  Found found = find(exchange.target.path, request.method);
  const Route& route = *found.route;
  exchange.rest = found.rest;
  exchange.route = route.pattern;
  exchange.is_quiet = route.is_quiet;
  if (request.method == "OPTIONS") {
    return exchange.respond(options_head(exchange, allowed_methods(route)), "");
  }
  if (!found.allows) {
    HttpResult<std::optional<StaticFile>> file = app_.files.find(exchange.target.path);
    bool is_of_files = &route == &kFiles;
    if (is_of_files && !file) {
      ApiError error(file.assume_error());
      return respond_error(exchange, error);
    }
    bool exists = !is_of_files || file.assume_value().has_value();
    if (exists) return refuse_method(exchange, allowed_methods(route));
    return respond_error(exchange, no_such_path(exchange.target.path, kOffered));
  }
  // Whoever asks through the Unix socket is on this machine, and no browser.
  bool any_host =
      !is_loopback_ || app_.keys.are_asked_for() || exchange.connection().peer() == "unix";
  if (auto error = any_host ? std::nullopt : refuse_host(request, app_.options.allowed_hosts)) {
    return respond_error(exchange, *error);
  }
  if (auto error = refusal(app_, route, request)) {
    return respond_error(exchange, *error);
  }
  // Else a client would believe that they count.
  if (route.is_work && request.method == "POST" && !exchange.target.parameters.empty()) {
    std::string name = printable(exchange.target.parameters[0].first);
    return respond_error(
        exchange, bad_field(name, "expected in the JSON body, found in the query of a POST", name));
  }
  return has_coding(request) ? answer_coded(app_, exchange, route) : route.answer(app_, exchange);
}

Task<void> Router::refuse(Exchange& exchange, const HttpError& error) {
  HttpResult<Target> target = parse_target(exchange.request().target);
  if (target) {
    exchange.route = find(target.assume_value().path, exchange.request().method).route->pattern;
  }
  co_await respond_error(exchange, ApiError(error));
}

std::string_view Router::exposed_headers() const { return kExposedHeaders; }

Task<void> static_file(App& app, Exchange& exchange) {
  HttpResult<std::optional<StaticFile>> file = app.files.find(exchange.target.path);
  const ResponseHead::Headers none;
  bool is_answered = co_await send_if_found(exchange, file, none);
  if (is_answered) co_return;
  co_await respond_error(exchange, no_such_path(exchange.target.path, kOffered));
}

}  // namespace chorus::server

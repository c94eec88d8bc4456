// What the server tells of itself: /health, /metrics, /v1/models, /v1/limits, and a list of its routes.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "server/api/model_card.h"
#include "server/api/respond.h"
#include "server/api/routes.h"
#include "server/offload.h"

namespace chorus::server {
namespace {

constexpr std::string_view kRouteList = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chorus</title>
<style>body{font:1rem/1.5 sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}</style>
<h1>Chorus</h1>
<p>GPT-2 text generation for many readers at once. This server answers:</p>
<ul>
<li><a href="generate/Once%20upon%20a%20time"><code>GET /generate/PROMPT</code></a>:
  text as it is made; <code>?max_length=100&amp;top_k=50&amp;seed=42</code></li>
<li><code>POST /v1/completions</code>: OpenAI's API, streaming too</li>
<li><code>POST /v1/score</code>: the log-probability of every token of a text</li>
<li><code>POST /tokenize</code>, <code>POST /detokenize</code>, <a href="tokenizer_info"><code>GET /tokenizer_info</code></a></li>
<li><a href="v1/models"><code>GET /v1/models</code></a></li>
<li><a href="v1/limits"><code>GET /v1/limits</code></a>: the tokens per second that this machine allows</li>
<li><a href="health"><code>GET /health</code></a></li>
<li><a href="metrics"><code>GET /metrics</code></a>: for Prometheus</li>
</ul>
</html>
)";

ResponseHead health_head(bool is_ready) {
  ResponseHead head(is_ready ? 200 : 503, "application/json", {{"Cache-Control", "no-store"}});
  if (!is_ready) head.headers.emplace_back("Retry-After", "1");
  return head;
}

}  // namespace

Task<void> health(App& app, Exchange& exchange) {
  const char* state = exchange.service().draining ? "draining"
                      : app.models.all_ready()    ? "ok"
                                                  : "loading";
  co_await exchange.respond(health_head(std::string_view(state) == "ok"),
                            fmt::format("{{\"status\":\"{}\"}}\n", state));
}

Task<void> metrics(App& app, Exchange& exchange) {
  co_await exchange.respond(ResponseHead(200, "text/plain; version=0.0.4; charset=utf-8"),
                            app.metrics.text());
}

Task<void> list_models(App& app, Exchange& exchange) {
  std::vector<std::string> models;
  for (const ServedModel& model : app.models.all()) {
    if (model.engine != nullptr) models.push_back(model_card(model, app.options));
  }
  co_await respond_json(exchange,
                        fmt::format(R"({{"object":"list","data":[{}]}})", fmt::join(models, ",")));
}

Task<void> show_model(App& app, Exchange& exchange) {
  ApiResult<ServedModel> model = app.models.find(std::string(exchange.rest));
  if (!model) co_return co_await respond_error(exchange, model.assume_error());
  co_await respond_json(exchange, model_card(model.assume_value(), app.options));
}

Task<void> machine_limits(App& app, Exchange& exchange) {
  const std::string* name = exchange.target.parameter("model");
  ApiResult<ServedModel> found = app.models.find(name == nullptr ? "" : *name);
  if (!found) co_return co_await respond_error(exchange, found.assume_error());
  const ServedModel& model = found.assume_value();
  auto limits = co_await offload_for(app, exchange, [&app, &model](const GivenUp&) {
    return app.machine_limits.measure(model, app.models.all());
  });
  if (!limits) co_return co_await respond_error(exchange, not_done(exchange));
  co_await respond_json(exchange, limits_json(model, *limits));
}

Task<void> plaintext(App&, Exchange& exchange) {
  return exchange.respond(ResponseHead(200, "text/plain"), "Hello, World!");
}

Task<void> list_routes(Exchange& exchange) {
  co_await exchange.respond(ResponseHead(200, "text/html; charset=utf-8"), kRouteList);
}

}  // namespace chorus::server

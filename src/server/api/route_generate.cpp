// /generate: the text of one sample as plain text, a chunk for each token, the prompt first.

#include <fmt/format.h>

#include <optional>
#include <random>
#include <string_view>
#include <utility>

#include "server/api/generate_request.h"
#include "server/api/generation.h"
#include "server/api/respond.h"
#include "server/api/routes.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

// What the origin's page calls its default model. Where none has that name, ours is it.
constexpr const char* kOriginsModel = "gpt2";

// The device is the one that computes, as in the origin, whichever was asked for.
ResponseHead text_head(const Request& request, const std::string& model) {
  return ResponseHead(200, "text/plain; charset=utf-8",
                      {{"X-Max-Length", std::to_string(request.max_length)},
                       {"X-Top-K", std::to_string(request.sampling.top_k)},
                       {"X-Seed", std::to_string(request.sampling.seed)},
                       {"X-Model-Name", header_value(model)},
                       {"X-Model-Device", "cpu"}});
}

ApiResult<ServedModel> find_model(const Models& models, const std::string& name,
                                  Exchange& exchange) {
  ApiResult<ServedModel> model = models.find(name);
  if (model || name != kOriginsModel || model.assume_error().status != 404) return model;
  exchange.headers.emplace_back("X-Model-Requested", name);
  return models.find({});
}

// The head goes out with the first event, so that until then an error still has its status; with
// --early-head at once. Later
// the text breaks off without its last chunk, which clients notice.
asio::awaitable<void> stream_text(Exchange& exchange, Generation& generation, ResponseHead head,
                                  const std::string& prompt, bool early_head) {
  bool has_begun = false;
  if (early_head) {
    exchange.begin_stream(head);
    exchange.add_chunk(prompt);
    has_begun = true;
    if (!co_await exchange.flush()) co_return;
  }
  while (generation.open() > 0) {
    std::vector<QueuedEvent> events = co_await generation.next();
    if (events.empty()) {
      if (!has_begun && generation.error()) co_await respond_error(exchange, *generation.error());
      if (has_begun && generation.error()) {
        note_error(exchange, *generation.error());
        exchange.connection().abort("the generation failed");
      }
      co_return;
    }
    if (!has_begun) {
      exchange.begin_stream(head);
      exchange.add_chunk(prompt);
      has_begun = true;
    }
    for (const QueuedEvent& queued : events) exchange.add_chunk(queued.event.text);
    if (!co_await exchange.flush()) co_return;
  }
  co_await exchange.end_stream();
}

asio::awaitable<void> answer(App& app, Exchange& exchange, ApiResult<GenerateRequest> parsed) {
  if (!parsed) co_return co_await respond_error(exchange, parsed.assume_error());
  GenerateRequest& asked = parsed.assume_value();
  ApiResult<ServedModel> model = find_model(app.models, asked.model, exchange);
  if (!model) co_return co_await respond_error(exchange, model.assume_error());
  ServedModel& served = model.assume_value();
  // 32 bits: all that PyTorch's CPU generator takes of a seed.
  if (!asked.has_seed) asked.base.sampling.seed = std::random_device{}();
  ApiResult<Request> request = to_engine_request(asked, *served.engine);
  if (!request) co_return co_await respond_error(exchange, request.assume_error());
  ResponseHead head = text_head(request.assume_value(), served.name);
  if (exchange.is_head()) {
    exchange.begin_stream(std::move(head));
    co_return co_await exchange.end_stream();
  }
  Generation generation(exchange, app, std::move(served), asked.cache_salt);
  if (auto submitted = generation.submit(std::move(request.assume_value())); !submitted) {
    co_return co_await respond_error(exchange, submitted.assume_error());
  }
  co_await stream_text(exchange, generation, std::move(head), asked.prompt, app.options.early_head);
}

}  // namespace

asio::awaitable<void> generate(App& app, Exchange& exchange) {
  // "/generate/" has an empty prompt, "/generate" none.
  std::optional<std::string_view> prompt;
  if (exchange.rest.data() != nullptr) prompt = exchange.rest;
  co_await answer(app, exchange, parse_generate(prompt, exchange.target));
}

asio::awaitable<void> post_generate(App& app, Exchange& exchange) {
  co_await answer(app, exchange, parse_generate_body(exchange.body()));
}

}  // namespace chorus::server

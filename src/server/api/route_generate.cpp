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
#include "server/offload.h"

namespace chorus::server {
namespace {

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

ApiResult<ServedModel> find_model(const Models& models, const std::string& name) {
  ApiResult<ServedModel> model = models.find(name);
  if (model || name != kOriginsModel || model.assume_error().status != 404) return model;
  return models.find({});
}

// A request, and what it asks of the engine.
struct PreparedText {
  GenerateRequest asked;
  ServedModel served;
  Request request;
};

// All that takes longer the longer the request is.
ApiResult<PreparedText> prepare_text(const App& app, ApiResult<GenerateRequest> parsed) {
  CHORUS_TRY(GenerateRequest asked, std::move(parsed));
  CHORUS_TRY(ServedModel served, find_model(app.models, asked.model));
  // 32 bits: all that PyTorch's CPU generator takes of a seed.
  if (!asked.has_seed) asked.base.sampling.seed = std::random_device{}();
  CHORUS_TRY(Request request, to_engine_request(asked, *served.engine));
  return PreparedText{std::move(asked), std::move(served), std::move(request)};
}

// The head goes out with the first event, so that until then an error still has its status; with
// --early-head at once. Later
// the text breaks off without its last chunk, which clients notice.
Task<void> stream_text(Exchange& exchange, Generation& generation, ResponseHead head,
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

// `parse` makes a request of `bytes` of the target or the body.
template <class Parse>
Task<void> answer(App& app, Exchange& exchange, std::size_t bytes, Parse parse) {
  ApiResult<PreparedText> prepared = co_await by_length(
      app, exchange, bytes, [&app, parse](const GivenUp&) { return prepare_text(app, parse()); });
  if (!prepared) co_return co_await respond_error(exchange, prepared.assume_error());
  GenerateRequest& asked = prepared.assume_value().asked;
  ServedModel& served = prepared.assume_value().served;
  Request& request = prepared.assume_value().request;
  if (asked.model == kOriginsModel && served.name != asked.model) {
    exchange.headers.emplace_back("X-Model-Requested", asked.model);
  }
  ResponseHead head = text_head(request, served.name);
  if (exchange.is_head()) {
    exchange.begin_stream(std::move(head));
    co_return co_await exchange.end_stream();
  }
  Generation generation(exchange, app, std::move(served), asked.cache_salt);
  if (auto submitted = generation.submit(std::move(request)); !submitted) {
    co_return co_await respond_error(exchange, submitted.assume_error());
  }
  co_await stream_text(exchange, generation, std::move(head), asked.prompt, app.options.early_head);
}

}  // namespace

Task<void> generate(App& app, Exchange& exchange) {
  // "/generate/" has an empty prompt, "/generate" none.
  std::optional<std::string_view> prompt;
  if (exchange.rest.data() != nullptr) prompt = exchange.rest;
  co_await answer(app, exchange, exchange.request().target.size(),
                  [prompt, &exchange] { return parse_generate(prompt, exchange.target); });
}

Task<void> post_generate(App& app, Exchange& exchange) {
  const std::string& body = exchange.body();
  co_await answer(app, exchange, body.size(), [&body] { return parse_generate_body(body); });
}

}  // namespace chorus::server

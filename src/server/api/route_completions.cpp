// /v1/completions: OpenAI's API, as one JSON object or as server-sent events.

#include <ctime>
#include <random>
#include <utility>

#include "server/api/completions_answer.h"
#include "server/api/completions_request.h"
#include "server/api/generation.h"
#include "server/api/respond.h"
#include "server/api/routes.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

ResponseHead events_head() {
  return ResponseHead(200, "text/event-stream", {{"Cache-Control", "no-store"}});
}

CompletionsHead completions_head(const Exchange& exchange, const ServedModel& model) {
  return {.id = "cmpl-" + exchange.id(), .created = std::time(nullptr), .model = model.name};
}

asio::awaitable<void> answer_whole(Exchange& exchange, Generation& generation,
                                   CompletionsAnswer& answer) {
  while (!answer.is_done()) {
    std::vector<QueuedEvent> events = co_await generation.next();
    if (events.empty()) {
      if (generation.error()) co_await respond_error(exchange, *generation.error());
      co_return;
    }
    for (const QueuedEvent& queued : events) answer.add(queued.request, queued.event);
  }
  co_await respond_json(exchange, answer.body());
}

// The head goes out with the first event, so that until then an error still has its status. Later
// an error is an event of its own.
asio::awaitable<void> answer_streaming(Exchange& exchange, Generation& generation,
                                       CompletionsAnswer& answer) {
  bool has_begun = false;
  while (!answer.is_done()) {
    std::vector<QueuedEvent> events = co_await generation.next();
    if (events.empty()) {
      if (!generation.error()) co_return;
      if (!has_begun) co_return co_await respond_error(exchange, *generation.error());
      exchange.add_chunk(sse(to_json(*generation.error())));
      co_return co_await exchange.end_stream();
    }
    if (!has_begun) {
      exchange.begin_stream(events_head());
    }
    has_begun = true;
    for (const QueuedEvent& queued : events) {
      exchange.add_chunk(answer.add(queued.request, queued.event));
    }
    if (!co_await exchange.flush()) co_return;
  }
  exchange.add_chunk(answer.stream_end());
  co_await exchange.end_stream();
}

}  // namespace

asio::awaitable<void> completions(App& app, Exchange& exchange) {
  ApiResult<CompletionsRequest> parsed = parse_completions(exchange.request().body);
  if (!parsed) co_return co_await respond_error(exchange, parsed.assume_error());
  CompletionsRequest& asked = parsed.assume_value();
  ApiResult<ServedModel> model = app.models.find(asked.model);
  if (!model) co_return co_await respond_error(exchange, model.assume_error());
  ServedModel& served = model.assume_value();
  if (!asked.has_seed) asked.base.sampling.seed = std::random_device{}();
  ApiResult<std::vector<Request>> requests = to_engine_requests(asked, *served.engine);
  if (!requests) co_return co_await respond_error(exchange, requests.assume_error());

  CompletionsAnswer answer(asked, completions_head(exchange, served), served.engine);
  Generation generation(exchange, app.metrics, std::move(served));
  for (Request& request : requests.assume_value()) {
    if (auto submitted = generation.submit(std::move(request)); !submitted) {
      co_return co_await respond_error(exchange, submitted.assume_error());
    }
  }
  if (asked.stream) {
    co_await answer_streaming(exchange, generation, answer);
  } else {
    co_await answer_whole(exchange, generation, answer);
  }
}

}  // namespace chorus::server

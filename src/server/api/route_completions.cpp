// /v1/completions and /v1/chat/completions: OpenAI's API, as one JSON object or as server-sent
// events.

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <random>
#include <string_view>
#include <utility>

#include "server/api/answer_cost.h"
#include "server/api/chat_answer.h"
#include "server/api/chat_request.h"
#include "server/api/completions_answer.h"
#include "server/api/completions_request.h"
#include "server/api/generation.h"
#include "server/api/request_body.h"
#include "server/api/respond.h"
#include "server/api/routes.h"
#include "server/offload.h"

namespace chorus::server {
namespace {

// Log-probabilities that are written, and bytes of a body that are joined, on the connection's own
// loop: about a millisecond. More are the workers', so that other connections do not wait.
constexpr std::size_t kMostLogprobsOnLoop = 2000;
constexpr std::size_t kMostJoinedOnLoop = 512 * 1024;

ResponseHead events_head(const std::string& cancel_id) {
  ResponseHead head(200, "text/event-stream; charset=utf-8", {{"Cache-Control", "no-store"}});
  if (!cancel_id.empty()) head.headers.emplace_back("X-Cancel-Id", cancel_id);
  return head;
}

std::unique_ptr<GenerationAnswer> make_answer(const CompletionsRequest& asked,
                                              const Exchange& exchange, const ServedModel& model) {
  AnswerHead head{.id = (asked.is_chat ? "chatcmpl-" : "cmpl-") + std::string(exchange.id()),
                  .created = std::time(nullptr),
                  .model = model.name};
  if (asked.is_chat) return std::make_unique<ChatAnswer>(asked, std::move(head), model.engine);
  return std::make_unique<CompletionsAnswer>(asked, std::move(head), model.engine);
}

// Whether making JSON of the events would hold up the loop: some milliseconds.
bool are_many(const std::vector<QueuedEvent>& events) {
  std::size_t logprobs = 0;
  for (const QueuedEvent& queued : events) {
    for (const TokenInfo& token : queued.event.prompt) logprobs += 1 + token.top.size();
    logprobs += queued.event.token.top.size();
  }
  return logprobs > kMostLogprobsOnLoop;
}

// The server-sent events that they make.
Task<std::string> add(App& app, Exchange& exchange, GenerationAnswer& answer,
                      const std::vector<QueuedEvent>& events) {
  auto add_all = [&answer, &events] {
    std::string out;
    for (const QueuedEvent& queued : events) out += answer.add(queued.request, queued.event);
    return out;
  };
  if (!are_many(events)) co_return add_all();
  co_return co_await offload(app, exchange, add_all);
}

// `held` is the answer's share of what may be held for all clients.
Task<void> answer_whole(App& app, Exchange& exchange, Generation& generation,
                        GenerationAnswer& answer, std::size_t expected, HeldBytes& held) {
  while (!answer.is_done()) {
    std::vector<QueuedEvent> events = co_await generation.next();
    if (events.empty()) {
      if (generation.error()) co_await respond_error(exchange, *generation.error());
      co_return;
    }
    co_await add(app, exchange, answer, events);
    if (!held.resize(std::max(expected, answer.bytes()))) {
      co_return co_await respond_error(exchange, buffers_full());
    }
  }
  BodyPieces body;
  if (answer.bytes() > kMostJoinedOnLoop) {
    body = co_await offload(app, exchange, [&answer] { return answer.body(); });
  } else {
    body = answer.body();
  }
  co_await exchange.respond(ResponseHead(200, "application/json"), std::move(body));
}

// The head goes out with the first event, so that until then an error still has its status; with
// --early-head at once, and comments while there is none. Later an error is an event of its own.
// `cancel_id`: by which choices may be cancelled; empty: they may not.
Task<void> answer_streaming(App& app, Exchange& exchange, Generation& generation,
                            GenerationAnswer& answer, const std::string& cancel_id) {
  using Clock = Connection::Clock;
  bool has_head = false;
  Clock::time_point comment_at = app.options.early_head ? Clock::now() : Clock::time_point::max();
  while (!answer.is_done()) {
    std::vector<QueuedEvent> events = co_await generation.next(comment_at);
    if (events.empty() && generation.error() && !has_head) {
      co_return co_await respond_error(exchange, *generation.error());
    }
    if (exchange.connection().is_gone()) co_return;
    if (!std::exchange(has_head, true)) exchange.begin_stream(events_head(cancel_id));
    if (generation.error()) {
      note_error(exchange, *generation.error());
      exchange.add_chunk(sse(to_json(*generation.error())));
      co_return co_await exchange.end_stream();
    }
    if (events.empty()) {
      exchange.add_chunk(": keep-alive\n\n");
      comment_at = Clock::now() + app.options.comment_every;
    } else {
      exchange.add_chunk(co_await add(app, exchange, answer, events));
      comment_at = Clock::time_point::max();
    }
    if (!co_await exchange.flush()) co_return;
  }
  exchange.add_chunk(answer.stream_end());
  co_await exchange.end_stream();
}

// A request, and what it asks of the engine.
struct PreparedCompletions {
  CompletionsRequest asked;
  ServedModel served;
  std::vector<Request> requests;
  std::size_t expected;  // bytes of its answer
};

// All that takes longer the longer the request is. `ignored`: fields that nobody has read, also where
// there is an error.
ApiResult<PreparedCompletions> prepare_completions(const App& app,
                                                   ApiResult<CompletionsRequest> parsed,
                                                   std::vector<std::string>& ignored,
                                                   const GivenUp& is_given_up) {
  CHORUS_TRY(CompletionsRequest asked, std::move(parsed));
  ignored = asked.ignored;
  CHORUS_TRY(ServedModel served, app.models.find(asked.model));
  if (asked.is_chat) {
    CHORUS_TRY(use_template(asked, *served.chat_template));
  }
  if (!asked.has_seed) asked.base.sampling.seed = std::random_device{}();
  CHORUS_TRY(std::vector<Request> requests, to_engine_requests(asked, *served.engine, is_given_up));
  std::size_t expected = answer_bytes(asked);
  CHORUS_TRY(check_answer(
      expected, app.options.max_answer, asked.is_chat ? "messages" : "prompt",
      fmt::format("{} prompts, n {}, max_tokens {}, logprobs {}, prompt_logprobs {} and echo {}",
                  asked.prompts.size(), asked.base.n, asked.max_tokens, asked.logprobs.value_or(0),
                  asked.prompt_logprobs.value_or(0), asked.echo)));
  return PreparedCompletions{std::move(asked), std::move(served), std::move(requests), expected};
}

// `parse` makes a request of the body, which is as much work as so many bytes.
template <class Parse>
Task<void> complete(App& app, Exchange& exchange, std::size_t work, Parse parse) {
  std::vector<std::string> ignored;
  const std::string& json = exchange.body();
  ApiResult<PreparedCompletions> prepared = co_await by_length(
      app, exchange, work, [&app, &ignored, &json, parse](const GivenUp& is_given_up) {
        return prepare_completions(app, parse(json), ignored, is_given_up);
      });
  tell_ignored(exchange, ignored);
  if (!prepared) co_return co_await respond_error(exchange, prepared.assume_error());
  CompletionsRequest& asked = prepared.assume_value().asked;
  ServedModel& served = prepared.assume_value().served;
  std::size_t expected = prepared.assume_value().expected;
  HeldBytes held = exchange.hold();
  if (!held.resize(expected)) co_return co_await respond_error(exchange, buffers_full());

  std::unique_ptr<GenerationAnswer> answer = make_answer(asked, exchange, served);
  Generation generation(exchange, app, std::move(served), asked.cache_salt);
  auto submitted = generation.submit(std::move(prepared.assume_value().requests));
  if (!submitted) {
    co_return co_await respond_error(exchange, submitted.assume_error());
  }
  if (asked.stream) {
    std::string cancel_id;
    if (!asked.base.one_stream) cancel_id = generation.let_cancel(asked.base.n);
    co_await answer_streaming(app, exchange, generation, *answer, cancel_id);
  } else {
    co_await answer_whole(app, exchange, generation, *answer, expected, held);
  }
}

}  // namespace

Task<void> completions(App& app, Exchange& exchange) {
  co_await complete(app, exchange, exchange.body().size(),
                    [](std::string_view body) { return parse_completions(body); });
}

Task<void> cancel_choice(App& app, Exchange& exchange) {
  ApiResult<boost::json::object> object = parse_body(exchange.body());
  if (!object) co_return co_await respond_error(exchange, object.assume_error());
  JsonFields fields(object.assume_value());
  std::string id;
  std::int32_t index = 0;
  fields.require("id", "an answer's X-Cancel-Id");
  fields.require("index", "a choice's index");
  fields.read("id", id);
  fields.read("index", index, 0);
  tell_ignored(exchange, fields.unknown());
  if (auto error = fields.error()) co_return co_await respond_error(exchange, *error);
  auto done = app.open_choices.cancel(id, app.keys.cache_salt(exchange.request(), {}), index);
  if (!done) co_return co_await respond_error(exchange, done.assume_error());
  co_await respond_json(exchange, fmt::format(R"({{"id":"{}","index":{}}})", id, index));
}

Task<void> chat_completions(App& app, Exchange& exchange) {
  if (app.options.chat_template.kind == ChatTemplateOption::Kind::kNone) {
    co_return co_await respond_error(
        exchange,
        ApiError(404,
                 "no chats here: GPT-2 continues a text, and this server was started "
                 "without --chat-template, which makes one of messages; use POST "
                 "/v1/completions with prompt, or start it with --chat-template model or plain",
                 {}, "not_found"));
  }
  std::size_t work = app.options.chat_template.is_program() ? kNeverOnLoop : exchange.body().size();
  co_await complete(app, exchange, work, [](std::string_view body) { return parse_chat(body); });
}

}  // namespace chorus::server

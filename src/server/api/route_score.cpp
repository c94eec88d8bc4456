// /v1/score: the log-probability of every token of texts.

#include <fmt/format.h>

#include <deque>
#include <utility>

#include "json/text.h"
#include "server/api/answer_cost.h"
#include "server/api/completions_request.h"
#include "server/api/generation.h"
#include "server/api/respond.h"
#include "server/api/routes.h"
#include "server/api/score_request.h"
#include "server/offload.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

// Windows of one request that are with the engine at once: more would only stand in others' way.
constexpr std::size_t kMostAtOnce = 16;

struct Job {
  std::size_t text;
  ScoreWindow window;
};

ApiResult<std::vector<TextScore>> tokenize_all(const ScoreTexts& asked, const Engine& engine) {
  std::vector<TextScore> scores;
  std::optional<std::int32_t> bos;
  if (asked.bos) {
    Result<std::int32_t> begin = engine.bos();
    if (!begin) return bad_field("bos", begin.assume_error().message);
    bos = begin.assume_value();
  }
  auto add = [&](std::vector<std::int32_t> ids) -> ApiResult<void> {
    if (ids.empty() && !bos) return bad_field("text", "expected at least one token, found none");
    CHORUS_TRY(check_ids(ids, "ids", engine.info()));
    ScoreRequest request{.ids = std::move(ids), .stride = asked.stride};
    request.rank_and_entropy = asked.form.rank_and_entropy;
    request.boundaries = asked.form.needs_boundaries();
    Result<TextScore> score = TextScore::make(request, bos, engine.info().block_size);
    if (!score) return to_api_error(score.assume_error());
    scores.push_back(std::move(score.assume_value()));
    return ok();
  };
  for (const std::string& text : asked.texts) {
    Result<std::vector<std::int32_t>> ids = engine.encode(text, asked.special);
    if (!ids) return bad_field("text", ids.assume_error().message);
    CHORUS_TRY(add(std::move(ids.assume_value())));
  }
  for (const auto& ids : asked.ids) {
    CHORUS_TRY(add(ids));
  }
  return scores;
}

std::vector<Job> plan(const std::vector<TextScore>& scores) {
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (const ScoreWindow& window : scores[i].windows()) jobs.push_back({i, window});
  }
  return jobs;
}

BodyPieces body(const std::string& model, const ScoreTexts& asked,
                const std::vector<TextScore>& scores, const Engine& engine) {
  BodyPieces out;
  out.add(fmt::format(R"({{"object":"list","model":{},"results":[)", json_string(model)));
  for (const TextScore& score : scores) {
    if (&score != &scores.front()) out.add(",");
    out.add(score_json(score, asked, engine));
  }
  out.add("]}");
  return out;
}

// False: it was answered with an error, or the client is gone.
asio::awaitable<bool> run(Exchange& exchange, Generation& generation, const std::vector<Job>& jobs,
                          std::vector<TextScore>& scores) {
  std::size_t submitted = 0;
  while (submitted < jobs.size() || generation.open() > 0) {
    while (submitted < jobs.size() && generation.open() < kMostAtOnce) {
      const Job& job = jobs[submitted];
      auto result = generation.submit(scores[job.text].request(job.window));
      if (!result && generation.open() > 0 && result.assume_error().status == 429) break;
      if (!result) {
        co_await respond_error(exchange, result.assume_error());
        co_return false;
      }
      ++submitted;
    }
    std::vector<QueuedEvent> events = co_await generation.next();
    if (events.empty()) {
      if (generation.error()) co_await respond_error(exchange, *generation.error());
      co_return false;
    }
    for (const QueuedEvent& queued : events) {
      if (queued.event.kind != Event::Kind::kPrompt) continue;
      const Job& job = jobs[queued.request];
      scores[job.text].add(job.window, queued.event.prompt);
    }
  }
  co_return true;
}

}  // namespace

asio::awaitable<void> score(App& app, Exchange& exchange) {
  ApiResult<ScoreTexts> parsed = parse_score(exchange.body());
  if (!parsed) co_return co_await respond_error(exchange, parsed.assume_error());
  const ScoreTexts& asked = parsed.assume_value();
  tell_ignored(exchange, asked.ignored);
  ApiResult<ServedModel> model = app.models.find(asked.model);
  if (!model) co_return co_await respond_error(exchange, model.assume_error());
  ServedModel& served = model.assume_value();
  std::shared_ptr<Engine> engine = served.engine;
  ApiResult<std::vector<TextScore>> tokenized =
      co_await offload(app, [&asked, &engine] { return tokenize_all(asked, *engine); });
  if (!tokenized) co_return co_await respond_error(exchange, tokenized.assume_error());
  std::vector<TextScore> scores = std::move(tokenized.assume_value());
  std::size_t tokens = 0;
  for (const TextScore& one : scores) tokens += one.ids().size();
  std::size_t expected = score_answer_bytes(asked, tokens);
  auto checked =
      check_answer(expected, app.options.max_answer, asked.texts.empty() ? "ids" : "text",
                   fmt::format("{} tokens", tokens));
  if (!checked) co_return co_await respond_error(exchange, checked.assume_error());
  HeldBytes held(exchange.service().buffers);
  if (!held.resize(expected)) co_return co_await respond_error(exchange, buffers_full());
  const std::vector<Job> jobs = plan(scores);
  std::string name = served.name;
  Generation generation(exchange, app, std::move(served), asked.cache_salt);
  if (co_await run(exchange, generation, jobs, scores)) {
    BodyPieces pieces = co_await offload(app, [&] { return body(name, asked, scores, *engine); });
    co_await exchange.respond(ResponseHead(200, "application/json"), std::move(pieces));
  }
}

}  // namespace chorus::server

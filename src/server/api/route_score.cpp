// /v1/score: the log-probability of every token of texts.

#include <fmt/format.h>

#include <deque>
#include <utility>

#include "engine/score_text.h"
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

// Windows of one request that are with the engine at once: more would only stand in others' way.
constexpr std::size_t kMostAtOnce = 16;

struct Job {
  std::size_t text;
  ScoreWindow window;
};

ApiResult<std::vector<TextScore>> tokenize_all(const ScoreTexts& asked, const Engine& engine,
                                               const GivenUp& is_given_up) {
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
    if (is_given_up) break;
    Result<std::vector<std::int32_t>> ids = encode_to_score(engine, text, asked.special);
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

// A request, and what it asks of the engine.
struct PreparedScores {
  ScoreTexts asked;
  ServedModel served;
  std::vector<TextScore> scores;
  std::vector<Job> jobs;
  std::size_t expected;  // bytes of its answer
};

// All that takes longer the longer the request is. `ignored`: fields that nobody has read, also where
// there is an error.
ApiResult<PreparedScores> prepare_scores(const App& app, const std::string& json,
                                         std::vector<std::string>& ignored,
                                         const GivenUp& is_given_up) {
  CHORUS_TRY(ScoreTexts asked, parse_score(json));
  ignored = asked.ignored;
  CHORUS_TRY(ServedModel served, app.models.find(asked.model));
  CHORUS_TRY(std::vector<TextScore> scores, tokenize_all(asked, *served.engine, is_given_up));
  std::size_t tokens = 0;
  for (const TextScore& one : scores) tokens += one.ids().size();
  std::size_t expected = score_answer_bytes(asked, tokens);
  CHORUS_TRY(check_answer(expected, app.options.max_answer, asked.texts.empty() ? "ids" : "text",
                          fmt::format("{} tokens", tokens)));
  std::vector<Job> jobs = plan(scores);
  return PreparedScores{std::move(asked), std::move(served), std::move(scores), std::move(jobs),
                        expected};
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
Task<bool> run(Exchange& exchange, Generation& generation, const std::vector<Job>& jobs,
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

Task<void> score(App& app, Exchange& exchange) {
  std::vector<std::string> ignored;
  const std::string& json = exchange.body();
  ApiResult<PreparedScores> prepared = co_await by_length(
      app, exchange, json.size(), [&app, &ignored, &json](const GivenUp& is_given_up) {
        return prepare_scores(app, json, ignored, is_given_up);
      });
  tell_ignored(exchange, ignored);
  if (!prepared) co_return co_await respond_error(exchange, prepared.assume_error());
  const ScoreTexts& asked = prepared.assume_value().asked;
  ServedModel& served = prepared.assume_value().served;
  std::vector<TextScore>& scores = prepared.assume_value().scores;
  const std::vector<Job>& jobs = prepared.assume_value().jobs;
  std::shared_ptr<Engine> engine = served.engine;
  HeldBytes held = exchange.hold();
  if (!held.resize(prepared.assume_value().expected)) {
    co_return co_await respond_error(exchange, buffers_full());
  }
  std::string name = served.name;
  Generation generation(exchange, app, std::move(served), asked.cache_salt);
  if (co_await run(exchange, generation, jobs, scores)) {
    BodyPieces pieces =
        co_await offload(app, exchange, [&] { return body(name, asked, scores, *engine); });
    co_await exchange.respond(ResponseHead(200, "application/json"), std::move(pieces));
  }
}

}  // namespace chorus::server

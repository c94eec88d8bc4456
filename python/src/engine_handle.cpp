#include "engine_handle.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <new>

#include "chorus/words.h"
#include "core/error_text.h"
#include "engine/score_text.h"
#include "errors.h"
#include "json/text.h"
#include "library/model_source.h"
#include "request_fields.h"
#include "waiting.h"

namespace nb = nanobind;

namespace chorus::python {
namespace {

// Texts of one call of score() or logits() that are read at once.
constexpr std::size_t kAtOnce = 32;

// Bytes of a text, or its ids, that are read before Ctrl-C could be noticed to wait.
constexpr std::size_t kSoonRead = 256 * 1024;

Error closed_error() { return {ErrorCode::kUnavailable, "the engine was closed"}; }

nb::list word_list(const std::vector<WordScore>& words) {
  nb::list list;
  for (const WordScore& word : words) {
    nb::object logprob = word.logprob ? nb::cast(*word.logprob) : nb::none();
    list.append(
        nb::make_tuple(word.text, word.begin, word.end, word.first_token, word.end_token, logprob));
  }
  return list;
}

std::span<const std::int32_t> span_of(const Ids& ids) { return {ids.data(), ids.shape(0)}; }

}  // namespace

Result<EngineHandle::Loaded> EngineHandle::load_now(const LoadOptions& options) {
  CHORUS_TRY(auto checkpoint, library::open_model(options.model, options.checkpoint));
  CHORUS_TRY(std::shared_ptr<Engine> engine, Engine::load(checkpoint, options.engine));
  Facts facts{.info = engine->info(),
              .config = checkpoint.config,
              .step = checkpoint.step,
              .val_loss = checkpoint.val_loss,
              .max_queue = options.engine.max_queue};
  return Loaded{std::move(engine), std::move(facts)};
}

std::unique_ptr<EngineHandle> EngineHandle::load(LoadOptions options) {
  auto loaded = wait_apart([options = std::move(options)] { return load_now(options); });
  return std::unique_ptr<EngineHandle>(new EngineHandle(value_or_fail(std::move(loaded))));
}

EngineHandle::~EngineHandle() {
  Call call;
  guard_.dispose(engine_);
  Unlocked unlocked;
  engine_.reset();
}

std::shared_ptr<Engine> EngineHandle::engine(
    const std::shared_ptr<Cancellation>& cancellation) const {
  guard_.check();
  std::lock_guard lock(mutex_);
  if (engine_ == nullptr) fail(closed_error());
  if (cancellation != nullptr) {
    std::erase_if(calls_, [](const std::weak_ptr<Cancellation>& call) { return call.expired(); });
    calls_.push_back(cancellation);
  }
  return engine_;
}

void EngineHandle::close() {
  if (!guard_.is_here()) return;
  std::shared_ptr<Engine> engine;
  std::vector<std::weak_ptr<Cancellation>> calls;
  {
    std::lock_guard lock(mutex_);
    engine = std::exchange(engine_, nullptr);
    calls = std::exchange(calls_, {});
  }
  Unlocked unlocked;
  for (const std::weak_ptr<Cancellation>& call : calls) {
    if (auto running = call.lock()) running->cancel();
  }
  engine.reset();
}

void EngineHandle::run(std::size_t count, const Item& item) const {
  auto cancellation = std::make_shared<Cancellation>();
  std::shared_ptr<Engine> engine = this->engine(cancellation);
  Result<void> result = run_items(
      count, std::min(kAtOnce, std::max<std::size_t>(max_queue() / 2, 1)),
      [&](std::size_t i) { return item(*engine, cancellation, i); },
      [&] { cancellation->cancel(); });
  if (!result && result.error().code == ErrorCode::kUnavailable && closed()) fail(closed_error());
  value_or_fail(std::move(result));
}

bool EngineHandle::closed() const {
  if (!guard_.is_here()) return false;
  std::lock_guard lock(mutex_);
  return engine_ == nullptr;
}

std::vector<std::int32_t> EngineHandle::encode(const std::string& text, bool special) const {
  return tokenized(text, [special](const Engine& engine, const std::string& given) {
    return engine.encode(given, special);
  });
}

std::vector<std::int32_t> EngineHandle::encode_to_score(const std::string& text,
                                                        bool special) const {
  return tokenized(text, [special](const Engine& engine, const std::string& given) {
    return chorus::encode_to_score(engine, given, special);
  });
}

template <class Encode>
std::vector<std::int32_t> EngineHandle::tokenized(const std::string& text, Encode encode) const {
  std::shared_ptr<Engine> engine = this->engine();
  if (text.size() > kSoonRead && is_main_thread()) {
    return value_or_fail(wait_apart([=] { return encode(*engine, text); }));
  }
  Result<std::vector<std::int32_t>> ids = std::vector<std::int32_t>();
  {
    Unlocked unlocked;
    ids = encode(*engine, text);
  }
  return value_or_fail(std::move(ids));
}

std::string EngineHandle::decode(const Ids& ids) const {
  std::shared_ptr<Engine> engine = this->engine();
  std::span<const std::int32_t> given = span_of(ids);
  if (given.size() > kSoonRead && is_main_thread()) {
    return value_or_fail(wait_apart([engine, kept = std::vector(given.begin(), given.end())] {
      return Result<std::string>(engine->decode(kept));
    }));
  }
  Unlocked unlocked;
  return engine->decode(given);
}

nb::bytes EngineHandle::token_bytes(std::int32_t id) const {
  std::string bytes = engine()->token_bytes(id);
  return nb::bytes(bytes.data(), bytes.size());
}

std::string EngineHandle::token_name(std::int32_t id) const {
  return chorus::token_name(engine()->token_bytes(id));
}

std::int32_t EngineHandle::bos() const { return value_or_fail(engine()->bos()); }

std::unique_ptr<Job> EngineHandle::submit(const Ids& prompt, const nb::dict& fields, bool streams,
                                          std::shared_ptr<ReadyQueue> queue,
                                          std::uint64_t key) const {
  std::shared_ptr<Engine> engine = this->engine();
  std::span<const std::int32_t> ids = span_of(prompt);
  Request request = read_request({ids.begin(), ids.end()}, fields, info());
  std::optional<Notice> notice;
  if (queue != nullptr) notice = Notice{std::move(queue), key};
  return value_or_fail(Job::submit(*engine, std::move(request), streams, std::move(notice)));
}

nb::list EngineHandle::score(const std::vector<Ids>& texts, bool bos, std::int32_t stride,
                             bool rank_and_entropy,
                             const std::optional<std::string>& boundary) const {
  std::optional<WordBoundary> word_boundary;
  if (boundary) word_boundary = value_or_fail(in_place(parse_word_boundary(*boundary), "boundary"));
  std::vector<ScoreRequest> requests;
  for (const Ids& text : texts) {
    std::span<const std::int32_t> ids = span_of(text);
    requests.push_back({.ids = {ids.begin(), ids.end()},
                        .bos = bos,
                        .stride = stride,
                        .boundaries = word_boundary == WordBoundary::kCorrected,
                        .rank_and_entropy = rank_and_entropy});
  }
  std::vector<Score> scores(requests.size());
  std::vector<std::vector<WordScore>> words(requests.size());
  run(requests.size(),
      [&](Engine& engine, const auto& cancellation, std::size_t i) -> Result<void> {
        requests[i].cancellation = cancellation;
        CHORUS_TRY(scores[i], engine.score(requests[i]));
        if (word_boundary) {
          words[i] = word_scores(engine, requests[i].ids, scores[i], *word_boundary);
        }
        return ok();
      });
  nb::list list;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const Score& score = scores[i];
    nb::object told = nb::none();
    if (word_boundary) told = word_list(words[i]);
    list.append(nb::make_tuple(nb::cast(score.logprobs), nb::cast(score.contexts), score.loss,
                               score.scored, nb::cast(score.ranks), nb::cast(score.entropies),
                               told));
  }
  return list;
}

nb::ndarray<nb::numpy, float, nb::ndim<3>> EngineHandle::logits(const IdRows& ids) const {
  std::size_t rows = ids.shape(0), length = ids.shape(1);
  auto vocabulary = static_cast<std::size_t>(info().vocab_size);
  std::size_t floats = rows * length * vocabulary;
  std::shared_ptr<float> room(new (std::nothrow) float[floats], std::default_delete<float[]>());
  if (room == nullptr) throw std::bad_alloc();
  auto read = [&](Engine& engine, const auto& cancellation, std::size_t row) -> Result<void> {
    const std::int32_t* first = ids.data() + row * length;
    CHORUS_TRY(auto samples, engine.complete({.prompt = {first, first + length},
                                              .max_length = static_cast<std::int32_t>(length),
                                              .prompt_logits = std::shared_ptr<float>(
                                                  room, room.get() + row * length * vocabulary),
                                              .cancellation = cancellation}));
    if (samples[0].finish_reason == FinishReason::kCancelled) {
      return Error{ErrorCode::kUnavailable, "the call was cancelled"};
    }
    return ok();
  };
  run(length > 0 ? rows : 0, read);
  auto* owner = new std::shared_ptr<float>(room);
  nb::capsule capsule(
      owner, [](void* kept) noexcept { delete static_cast<std::shared_ptr<float>*>(kept); });
  return {room.get(), {rows, length, vocabulary}, capsule};
}

}  // namespace chorus::python

// Many requests at once: what each gets is what it would get alone, and everything is given back.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <optional>
#include <random>
#include <thread>

#include "chorus/engine.h"
#include "engine/engine_impl.h"
#include "kernels/kernels.h"
#include "support/amx_emulator.h"
#include "support/engine_pause.h"
#include "support/tiny_model.h"

namespace chorus {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using namespace std::chrono_literals;

std::unique_ptr<Engine> load(EngineOptions options = {},
                             const checkpoint::ModelConfig& config = test::odd_config()) {
  test::TinyModel tiny(config);
  if (options.threads == 0) options.threads = 2;
  auto engine = Engine::load(tiny.checkpoint(), options);
  EXPECT_TRUE(engine) << engine.assume_error().message;
  return std::move(engine.assume_value());
}

constexpr std::int32_t kPage = 32;
// Bytes of one page of the odd model: 2 layers, 3 heads, keys of 10 and values of padded 32.
constexpr std::uint64_t kPageBytes = 2 * 3 * (10 + 32) * kPage * 4;

std::vector<std::int32_t> some_ids(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::int32_t> ids(count);
  for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random() % 131);
  return ids;
}

// All there is to compare of a sample, as text that a failure shows.
std::string describe(const Completion& completion) {
  std::string text = fmt::format("{}: {}", finish_reason_name(completion.finish_reason),
                                 fmt::join(completion.tokens, " "));
  for (const auto* tokens : {&completion.prompt, &completion.result}) {
    for (const TokenInfo& token : *tokens) {
      if (token.logprob) text += fmt::format(" {}", *token.logprob);
      for (const TokenLogprob& top : token.top) text += fmt::format("/{}:{}", top.id, top.logprob);
    }
  }
  return text;
}

// Reads a stream to its end; `events` counts those that end a sample.
std::vector<Completion> drain(Stream& stream, const Request& request, int& ends) {
  std::vector<Completion> samples(static_cast<std::size_t>(request.n));
  for (Completion& sample : samples) sample.tokens = request.prompt;
  bool last = false;
  while (std::optional<Event> event = stream.next()) {
    EXPECT_FALSE(last) << "an event after the last";
    last = event->last;
    Completion& sample = samples[static_cast<std::size_t>(event->sample)];
    sample.text += event->text;
    if (event->kind == Event::Kind::kPrompt) {
      for (Completion& each : samples) each.prompt = event->prompt;
    } else if (event->kind == Event::Kind::kToken) {
      sample.tokens.push_back(event->token.id);
      sample.result.push_back(event->token);
    } else {
      ++ends;
      sample.finish_reason = event->finish_reason;
      EXPECT_EQ(event->kind, Event::Kind::kDone) << event->error.message;
    }
  }
  EXPECT_TRUE(last);
  return samples;
}

// What was dropped may still be on its way out.
void wait_until_nothing_runs(Engine& engine) {
  for (int i = 0; i < 60'000 && engine.stats().running > 0; ++i) std::this_thread::sleep_for(1ms);
}

void expect_idle(Engine& engine) {
  auto intact = EngineInternals::check_integrity(engine);
  EXPECT_TRUE(intact) << intact.assume_error().message;
  EngineStats stats = engine.stats();
  EXPECT_EQ(stats.running, 0u);
  EXPECT_EQ(stats.waiting, 0u);
  EXPECT_EQ(stats.kv_usage, 0.0);
}

Request random_request(std::mt19937& random) {
  // Few different beginnings, so that prefixes are shared.
  std::vector<std::int32_t> prompt =
      some_ids(1 + random() % 60, static_cast<unsigned>(random() % 3));
  if (random() % 2 == 0) prompt.back() = static_cast<std::int32_t>(random() % 131);
  Request request{.prompt = prompt};
  request.max_length =
      static_cast<std::int32_t>(prompt.size() + random() % (77 - prompt.size() + 1));
  request.sampling.seed = random();
  request.sampling.top_k = std::array{50, 5, 0, 1}[random() % 4];
  request.n = random() % 4 == 0 ? 3 : 1;
  if (random() % 3 == 0) request.logprobs = static_cast<std::int32_t>(random() % 4);
  if (random() % 4 == 0) request.prompt_logprobs = static_cast<std::int32_t>(random() % 3);
  if (request.prompt_logprobs && random() % 2 == 0) {
    request.prompt_logprobs_from = random() % prompt.size();
  }
  if (random() % 5 == 0) request.sampling.temperature = 0.7f;
  if (random() % 6 == 0) request.sampling.top_p = 0.8;
  if (random() % 6 == 0) request.sampling.repetition_penalty = 1.3f;
  if (random() % 8 == 0) request.stop_ids = {static_cast<std::int32_t>(random() % 131)};
  if (random() % 8 == 0) request.min_tokens = 3;
  if (random() % 2 == 0) {
    request.sampling.loop = std::array{SamplingLoop::kTalk, SamplingLoop::kNanoGpt,
                                       SamplingLoop::kTransformers}[random() % 3];
  }
  if (random() % 6 == 0) request.sampling.min_p = 0.05f;
  request.one_stream = random() % 3 == 0;
  if (random() % 5 == 0) {
    request.past_block = PastBlock::kCrop;
    request.max_length = static_cast<std::int32_t>(70 + random() % 20);
    if (!request.prompt_logprobs && random() % 2 == 0) {
      request.prompt = some_ids(70 + random() % 15, static_cast<unsigned>(random() % 3));
      request.max_length = static_cast<std::int32_t>(request.prompt.size() + random() % 6);
    }
  }
  return request;
}

// Sets $CHORUS_ISA while it lives, if `isa` is not empty.
class IsaOverride {
 public:
  explicit IsaOverride(const char* isa) {
    if (*isa != '\0') ::setenv("CHORUS_ISA", isa, 1);
  }
  ~IsaOverride() { ::unsetenv("CHORUS_ISA"); }
};

// Submits a random mix of the requests, cancels or drops some, and compares all others with what
// each gave `alone`.
void run_mix(Engine& engine, const std::vector<Request>& requests,
             const std::vector<std::vector<std::string>>& alone, std::mt19937& mix) {
  std::vector<std::pair<std::size_t, Stream>> streams;
  for (int i = 0; i < 64; ++i) {
    std::size_t which = mix() % requests.size();
    auto stream = engine.submit(requests[which]);
    ASSERT_TRUE(stream) << stream.assume_error().message;
    streams.emplace_back(which, std::move(stream.assume_value()));
    if (mix() % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(mix() % 3000));
    if (mix() % 7 == 0) {
      std::size_t victim = mix() % streams.size();
      if (mix() % 2 == 0) streams[victim].second = Stream();
      streams[victim].second.cancel();
      streams.erase(streams.begin() + static_cast<std::ptrdiff_t>(victim));
    }
    if (mix() % 10 == 0) {
      ASSERT_TRUE(EngineInternals::check_integrity(engine));
    }
  }
  for (auto& [which, stream] : streams) {
    int ends = 0;
    auto samples = drain(stream, requests[which], ends);
    EXPECT_EQ(ends, requests[which].n);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (samples[i].prompt.empty()) {  // was not asked for; complete() always asks
        for (std::int32_t id : requests[which].prompt) samples[i].prompt.push_back({.id = id});
      }
      EXPECT_EQ(describe(samples[i]), alone[which][i]) << "request " << which << " sample " << i;
    }
  }
}

// The promise of the engine, for each type of weights: random mixes of requests over engines that
// differ in all that must not matter; every stream that was not cancelled is its solo run.
class SoloRun : public testing::TestWithParam<NumberFormat> {};

TEST_P(SoloRun, IsWhatEachRequestGetsWhateverGoesOnBesideIt) {
  std::vector<Request> requests;
  std::vector<std::vector<std::string>> alone;
  std::mt19937 random(20);
  auto solo = load({.dtype = GetParam(), .threads = 1, .prefix_cache = false, .step_rows = 7});
  for (int i = 0; i < 60; ++i) {
    requests.push_back(random_request(random));
    auto result = solo->complete(requests.back());
    ASSERT_TRUE(result) << result.assume_error().message;
    alone.emplace_back();
    for (const Completion& sample : result.assume_value()) alone.back().push_back(describe(sample));
  }
  expect_idle(*solo);
  struct Setting {
    EngineOptions options;
    const char* isa = "";
  };
  std::mt19937 mix(21);
  for (Setting setting :
       {Setting{{.threads = 2, .step_rows = 64}}, Setting{{.threads = 1, .step_rows = 3}, "scalar"},
        Setting{{.threads = 3, .kv_memory = 5 * kPageBytes}, "avx2"},
        Setting{{.threads = 2, .prefix_cache = false}}}) {
    if (setting.isa == std::string("avx2") && !kernels::is_supported(kernels::Isa::kAvx2)) continue;
    IsaOverride isa(setting.isa);
    setting.options.dtype = GetParam();
    auto engine = load(setting.options);
    for (int round = 0; round < 2; ++round) {
      ASSERT_NO_FATAL_FAILURE(run_mix(*engine, requests, alone, mix));
    }
    wait_until_nothing_runs(*engine);
    expect_idle(*engine);
  }
}

std::string type_name(const testing::TestParamInfo<NumberFormat>& parameter) {
  std::string name = number_format_name(parameter.param);
  std::ranges::replace(name, '-', '_');
  return name;
}

#if defined(__x86_64__) && defined(__linux__)
// A model whose matrices AMX takes: pairs of groups everywhere. Steps of five or nine rows use it, others
// do not, and beside the engine that may there is one that may not.
class AmxSoloRun : public SoloRun {};

TEST_P(AmxSoloRun, IsTheSameWithAmxAndWithout) {
  std::optional<test::AmxEmulator> emulator;
  if (test::AmxEmulator::can_emulate()) emulator.emplace();
  bool is_there = GetParam() == NumberFormat::kBf16 ? kernels::amx().bf16 : kernels::amx().int8;
  if (!is_there) GTEST_SKIP() << "this processor lacks AMX, and what emulates it";
  checkpoint::ModelConfig config = test::odd_config();
  config.n_embd = 60;
  config.n_inner = 101;
  auto load_with = [&](const char* amx, EngineOptions options) {
    ::setenv("CHORUS_AMX", amx, 1);
    options.dtype = GetParam();
    auto engine = load(options, config);
    ::unsetenv("CHORUS_AMX");
    EXPECT_EQ(engine->info().amx, *amx == '1');
    return engine;
  };
  auto solo = load_with("0", {.threads = 1, .prefix_cache = false, .step_rows = 7});
  std::vector<Request> requests;
  std::vector<std::vector<std::string>> alone;
  std::mt19937 random(22);
  for (int i = 0; i < 20; ++i) {
    requests.push_back(random_request(random));
    auto result = solo->complete(requests.back());
    ASSERT_TRUE(result) << result.assume_error().message;
    alone.emplace_back();
    for (const Completion& sample : result.assume_value()) alone.back().push_back(describe(sample));
  }
  EXPECT_EQ(test::AmxEmulator::products(), 0u);
  auto with = load_with("1", {.threads = 2, .step_rows = 24});
  auto without = load_with("0", {.threads = 2, .step_rows = 24});
  std::thread beside([&] {
    std::mt19937 mix(23);
    run_mix(*without, requests, alone, mix);
  });
  std::mt19937 mix(24);
  run_mix(*with, requests, alone, mix);
  beside.join();
  EXPECT_TRUE(!emulator || emulator->products() > 1000);
}

// The types whose products AMX makes.
INSTANTIATE_TEST_SUITE_P(Types, AmxSoloRun,
                         testing::Values(NumberFormat::kBf16, NumberFormat::kInt8,
                                         NumberFormat::kInt4),
                         type_name);
#endif

INSTANTIATE_TEST_SUITE_P(Types, SoloRun, testing::ValuesIn(kWeightFormats), type_name);

TEST(ManyRequests, APromptThatIsThereAlreadyIsFound) {
  auto engine = load();
  Request request{.prompt = some_ids(70, 1), .max_length = 77};
  auto first = engine->complete(request).assume_value();
  EXPECT_EQ(first[0].usage.cached_tokens, 0);
  auto second = engine->complete(request).assume_value();
  EXPECT_EQ(second[0].usage.cached_tokens, 69);  // all but the one whose logits are needed
  EXPECT_EQ(second[0].tokens, first[0].tokens);
  EXPECT_EQ(engine->stats().prefix_hits, 69u);
  EXPECT_EQ(engine->stats().prefix_queries, 140u);
}

TEST(ManyRequests, PromptsThatBeginAlikeShareWhatIsAlike) {
  auto engine = load(), fresh = load({.prefix_cache = false});
  std::vector<std::int32_t> prompt = some_ids(50, 1);
  engine->complete({.prompt = prompt, .max_length = 60}).assume_value();
  for (std::size_t alike : {1u, 2u, 31u, 32u, 33u, 34u, 45u}) {
    Request request{.prompt = prompt, .max_length = 60, .sampling = {.seed = alike}};
    request.prompt[alike] = (request.prompt[alike] + 1) % 100;
    auto result = engine->complete(request).assume_value();
    // One position is not worth the copying of its page.
    std::int32_t copied = alike % 32 < 2 ? 0 : static_cast<std::int32_t>(alike) % 32;
    EXPECT_EQ(result[0].usage.cached_tokens, static_cast<std::int32_t>(alike) / 32 * 32 + copied);
    EXPECT_EQ(result[0].tokens, fresh->complete(request).assume_value()[0].tokens) << alike;
  }
  expect_idle(*engine);
}

TEST(ManyRequests, TheSamplesOfAPromptReadItOnce) {
  auto engine = load();
  Request request{.prompt = some_ids(70, 1), .max_length = 77, .n = 5};
  auto samples = engine->complete(request).assume_value();
  ASSERT_EQ(samples.size(), 5u);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(samples[i].usage.cached_tokens, 69) << i;
  for (std::size_t i = 0; i < 5; ++i) {
    Request one{.prompt = request.prompt, .max_length = 77, .sampling = {.seed = i}};
    EXPECT_EQ(samples[i].tokens, engine->complete(one).assume_value()[0].tokens);
  }
  expect_idle(*engine);
}

TEST(ManyRequests, MemoryIsNeverMoreThanWasAllowedAndThoseThatCannotFitAreRefused) {
  auto engine = load({.kv_memory = 2 * kPageBytes});
  auto refused = engine->submit({.prompt = {1}, .max_length = 77});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.assume_error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.assume_error().message, HasSubstr("max_length"));
  // What is only read: nobody has said a length.
  std::vector<std::int32_t> long_text(70, 1);
  for (const Error& error : {engine->score({.ids = long_text}).assume_error(),
                             engine->logits(long_text).assume_error()}) {
    EXPECT_EQ(error.code, ErrorCode::kUnsupported);
    EXPECT_THAT(error.message, AllOf(StartsWith("the keys and values of 70 tokens take"),
                                     HasSubstr("(kv_memory)")));
  }
  std::vector<Stream> streams;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    streams.push_back(
        std::move(engine->submit({.prompt = {1}, .max_length = 64, .sampling = {.seed = seed}})
                      .assume_value()));
  }
  for (Stream& stream : streams) {
    EXPECT_LE(engine->stats().running, 1u);
    while (auto event = stream.next()) EXPECT_NE(event->kind, Event::Kind::kError);
  }
  expect_idle(*engine);
}

TEST(ManyRequests, AFullQueueRefusesAndSaysSo) {
  auto engine = load({.kv_memory = 3 * kPageBytes, .max_queue = 4});
  std::vector<Stream> streams;
  Result<Stream> refused = Stream();
  test::EnginePause pause(*engine);
  while (refused) {
    ASSERT_LT(streams.size(), 5u);
    refused = engine->submit({.prompt = {1}, .max_length = 77});
    if (refused) streams.push_back(std::move(refused.assume_value()));
  }
  EXPECT_EQ(refused.assume_error().code, ErrorCode::kOverloaded);
  EXPECT_THAT(refused.assume_error().message, HasSubstr("at most 4"));
  pause.end();
  for (Stream& stream : streams) {
    while (stream.next()) {
    }
  }
  expect_idle(*engine);
  EXPECT_TRUE(engine->submit({.prompt = {1}, .max_length = 77}));
}

// The events of `request`; at sample 2's `at`-th token the samples of `cancelled` are cancelled.
std::vector<Event> events_of(Engine& engine, const Request& request,
                             const std::vector<std::int32_t>& cancelled, int at = 3) {
  std::promise<Stream*> submitted;
  std::shared_future<Stream*> stream_of(submitted.get_future());
  std::promise<void> ended;
  std::vector<Event> events;
  int seen = 0;
  auto on_event = [&](Event event) {
    bool is_time = event.kind == Event::Kind::kToken && event.sample == 2 && ++seen == at;
    bool is_last = event.last;
    events.push_back(std::move(event));
    if (is_time) {
      for (std::int32_t sample : cancelled) stream_of.get()->cancel(sample);
    }
    if (is_last) ended.set_value();
  };
  Stream stream = std::move(engine.submit(request, on_event).assume_value());
  submitted.set_value(&stream);
  ended.get_future().wait();
  return events;
}

std::vector<std::int32_t> ids_of(const std::vector<Event>& events, std::int32_t sample) {
  std::vector<std::int32_t> ids;
  for (const Event& event : events) {
    if (event.kind == Event::Kind::kToken && event.sample == sample) ids.push_back(event.token.id);
  }
  return ids;
}

TEST(ManyRequests, OneSampleIsCancelledAloneAndTheOthersStayWhatTheyWere) {
  auto engine = load(EngineOptions{});
  Request request{.prompt = {1}, .max_length = 77, .n = 4, .ignore_eos = true};
  std::vector<Event> whole = events_of(*engine, request, {});
  for (const std::vector<std::int32_t>& cancelled :
       std::vector<std::vector<std::int32_t>>{{2}, {0, 3}, {-1, 4, 1 << 30}, {0, 1, 2, 3}}) {
    std::vector<Event> events = events_of(*engine, request, cancelled);
    int ends = 0;
    for (const Event& event : events) {
      if (event.kind != Event::Kind::kDone) continue;
      ++ends;
      bool is_cancelled = std::ranges::count(cancelled, event.sample) > 0;
      std::vector<std::int32_t> ids = ids_of(events, event.sample);
      EXPECT_EQ(event.finish_reason,
                is_cancelled ? FinishReason::kCancelled : FinishReason::kLength);
      if (is_cancelled) {
        EXPECT_LE(ids.size(), 4u) << "it ends within a step";
      } else {
        EXPECT_EQ(ids.size(), 76u);
      }
      std::vector<std::int32_t> expected = ids_of(whole, event.sample);
      expected.resize(ids.size());
      EXPECT_EQ(ids, expected);
    }
    EXPECT_EQ(ends, 4);
    expect_idle(*engine);
  }
}

TEST(ManyRequests, ASampleThatTellsThePromptTellsItBeforeItIsCancelled) {
  auto engine = load({.step_rows = 4});
  Request request{.prompt = std::vector<std::int32_t>(60, 1), .max_length = 70, .n = 3};
  request.ignore_eos = true;
  request.echo = true;
  std::vector<Event> whole = events_of(*engine, request, {});
  test::EnginePause pause(*engine);
  Stream stream = std::move(engine->submit(request).assume_value());
  stream.cancel(0);
  pause.end();
  std::vector<Event> events;
  while (auto event = stream.next()) events.push_back(std::move(*event));
  EXPECT_EQ(std::ranges::count(events, Event::Kind::kPrompt, &Event::kind), 1);
  EXPECT_LE(ids_of(events, 0).size(), 1u) << "it reads the prompt, which the others need";
  for (std::int32_t sample : {1, 2}) EXPECT_EQ(ids_of(events, sample), ids_of(whole, sample));
  expect_idle(*engine);
}

TEST(ManyRequests, OfSamplesOfOneStreamNoneIsCancelledAlone) {
  auto engine = load(EngineOptions{});
  Request request{.prompt = {1}, .max_length = 20, .n = 4, .one_stream = true, .ignore_eos = true};
  std::vector<Event> whole = events_of(*engine, request, {});
  std::vector<Event> events = events_of(*engine, request, {1, 2});
  for (std::int32_t sample = 0; sample < 4; ++sample) {
    EXPECT_EQ(ids_of(events, sample), ids_of(whole, sample));
  }
}

TEST(ManyRequests, ACancelledStreamEndsOnceAndFreesItsRoom) {
  auto engine = load({.kv_memory = 3 * kPageBytes});
  // The second waits for the room of the first.
  Stream running = std::move(
      engine->submit({.prompt = {1}, .max_length = 77, .ignore_eos = true}).assume_value());
  Stream waiting = std::move(engine->submit({.prompt = {1}, .max_length = 77}).assume_value());
  waiting.cancel();
  running.cancel();
  for (Stream* stream : {&running, &waiting}) {
    int ends = 0;
    while (auto event = stream->next()) {
      if (event->kind == Event::Kind::kToken) continue;
      ++ends;
      EXPECT_EQ(event->kind, Event::Kind::kDone);
    }
    EXPECT_EQ(ends, 1);
  }
  expect_idle(*engine);
}

TEST(ManyRequests, ACallbackGetsTheEventsAndMayDropTheStream) {
  auto engine = load();
  std::promise<std::vector<std::int32_t>> done;
  std::vector<std::int32_t> ids = {1, 2, 3};
  Request request{.prompt = ids, .max_length = 60};
  Stream stream = std::move(engine
                                ->submit(request,
                                         [&](Event event) {
                                           if (event.kind == Event::Kind::kToken)
                                             ids.push_back(event.token.id);
                                           if (event.last) done.set_value(ids);
                                         })
                                .assume_value());
  EXPECT_EQ(done.get_future().get(), engine->complete(request).assume_value()[0].tokens);

  auto dropped = std::make_shared<Stream>();
  std::atomic<int> events = 0;
  std::mutex turn;
  {
    std::lock_guard lock(turn);  // until the stream is in its place
    *dropped = std::move(engine
                             ->submit(request,
                                      [&](Event) {
                                        std::lock_guard wait(turn);
                                        if (++events == 2) dropped.reset();
                                      })
                             .assume_value());
  }
  while (events < 2) std::this_thread::sleep_for(1ms);
  wait_until_nothing_runs(*engine);
  EXPECT_EQ(events, 2);
  expect_idle(*engine);
}

TEST(ManyRequests, StreamsOutliveTheEngineWhichEndsThem) {
  Stream stream;
  {
    auto engine = load({.kv_memory = 3 * kPageBytes});
    for (int i = 0; i < 5; ++i) {
      stream = std::move(
          engine->submit({.prompt = {1}, .max_length = 77, .ignore_eos = true}).assume_value());
    }
  }
  int ends = 0;
  while (auto event = stream.next()) ends += event->kind != Event::Kind::kToken;
  EXPECT_EQ(ends, 1);
  stream.cancel();
}

TEST(ManyRequests, LogprobsAreThoseThatScoreGives) {
  auto engine = load();
  Request request{.prompt = some_ids(40, 3), .max_length = 70};
  request.sampling.temperature = 0.6f;
  request.sampling.repetition_penalty = 1.2f;
  request.logprobs = 3;
  request.prompt_logprobs = 2;
  request.ignore_eos = true;
  Completion sample = engine->complete(request).assume_value()[0];
  Score score = engine->score({.ids = sample.tokens}).assume_value();
  ASSERT_EQ(sample.prompt.size() + sample.result.size(), sample.tokens.size());
  EXPECT_FALSE(sample.prompt[0].logprob);
  for (std::size_t i = 1; i < sample.tokens.size(); ++i) {
    bool of_prompt = i < 40;
    const TokenInfo& token = of_prompt ? sample.prompt[i] : sample.result[i - 40];
    EXPECT_EQ(token.id, sample.tokens[i]);
    ASSERT_TRUE(token.logprob) << i;
    EXPECT_EQ(*token.logprob, score.logprobs[i]) << i;
    ASSERT_EQ(token.top.size(), of_prompt ? 2u : 3u);
    EXPECT_GE(token.top[0].logprob, *token.logprob);
    EXPECT_GE(token.top[0].logprob, token.top[1].logprob);
  }
}

TEST(ManyRequests, AnIdleEngineUsesNoProcessor) {
  auto engine = load();
  ASSERT_TRUE(engine->complete({.prompt = {1}, .max_length = 20}));
  auto processor_time = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  };
  // It spins a while after its last step, which takes longer where others want the processor.
  auto quietest = 1000ms;
  for (int i = 0; i < 50 && quietest >= 20ms; ++i) {
    auto before = processor_time();
    std::this_thread::sleep_for(200ms);
    auto used = std::chrono::duration_cast<std::chrono::milliseconds>(processor_time() - before);
    quietest = std::min(quietest, used);
  }
  EXPECT_LT(quietest, 20ms);
}

TEST(ManyRequests, BadRequestsAreRefusedByField) {
  auto engine = load({.max_queue = 2000});
  auto error_of = [&](Request request) {
    auto stream = engine->submit(std::move(request));
    return stream ? std::string("no error") : stream.assume_error().message;
  };
  Request good{.prompt = {1}, .max_length = 9};
  Request bad = good;
  bad.n = 0;
  EXPECT_EQ(error_of(bad), "n: expected 1 to 1024, found 0");
  bad = good;
  bad.logprobs = 101;
  EXPECT_EQ(error_of(bad), "logprobs: expected 0 to 100, found 101");
  bad = good;
  bad.prompt_logprobs = -1;
  EXPECT_EQ(error_of(bad), "prompt_logprobs: expected 0 to 100, found -1");
  bad = good;
  bad.sampling.top_p = 1.5;
  EXPECT_THAT(error_of(bad), HasSubstr("top_p"));
}

TEST(ManyRequests, MinTokensBansWhatWouldEndTheText) {
  auto engine = load();
  Request request{.prompt = {5}, .max_length = 40};
  for (std::int32_t id = 0; id < 131; ++id) {
    if (id != 7) request.stop_ids.push_back(id);  // whatever is chosen ends it, but 7
  }
  EXPECT_LE(engine->complete(request).assume_value()[0].result.size(), 2u);
  request.min_tokens = 4;
  Completion sample = engine->complete(request).assume_value()[0];
  ASSERT_GE(sample.result.size(), 5u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(sample.result[i].id, 7);
}

TEST(Many, AClientMayHaveAsManyWaitingAsPlacesAreFree) {
  auto engine = load({.max_queue = 8, .step_rows = 1});
  Request endless{.prompt = {1, 2, 3}};
  endless.past_block = PastBlock::kCrop;
  endless.max_length = 500'000;
  Result<Stream> running = engine->submit(endless);
  Request request{.prompt = {1, 2, 3}};
  request.max_length = 77;
  while (engine->stats().running == 0) std::this_thread::sleep_for(1ms);
  std::vector<Stream> streams;
  auto fill = [&](std::uint64_t client) {
    request.client = client;
    std::size_t taken = 0;
    while (taken < 100) {
      Result<Stream> stream = engine->submit(request);
      if (!stream) {
        EXPECT_EQ(stream.assume_error().code, ErrorCode::kOverloaded);
        break;
      }
      streams.push_back(std::move(stream.assume_value()));
      ++taken;
    }
    return taken;
  };
  EXPECT_EQ(fill(1), 4u);  // of 8
  EXPECT_EQ(fill(2), 2u);  // of the 4 that are left
  EXPECT_EQ(fill(1), 0u);
  EXPECT_EQ(fill(3), 1u);
  EXPECT_EQ(fill(0), 1u);  // nobody in particular: what is left
  streams.clear();
  running.assume_value().cancel();
  while (engine->stats().waiting > 0 || engine->stats().running > 0) {
    std::this_thread::sleep_for(1ms);
  }
  request.n = 9;
  auto never = engine->submit(request);
  ASSERT_FALSE(never);
  EXPECT_EQ(never.assume_error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(never.assume_error().message, HasSubstr("n: expected at most 8"));
  request.n = 8;  // its client's places have come back
  request.client = 1;
  bool is_taken = false;
  for (int i = 0; i < 12'000 && !is_taken; ++i) {
    auto whole = engine->submit(request);
    is_taken = static_cast<bool>(whole);
    if (!is_taken) std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(is_taken);
}

// What callbacks put aside is passed on: none is left when all has ended, and once for a step, not for
// each event.
TEST(ManyRequests, CallbacksAreFollowedByOneCallForAllOfAStep) {
  std::atomic<int> put_aside = 0, passed_on = 0, times = 0;
  auto engine = load();
  engine->after_callbacks([&] {
    int now = put_aside;
    if (now == passed_on) return;
    ++times;
    passed_on = now;
    passed_on.notify_all();
  });
  constexpr int kStreams = 8, kTokens = 12;
  std::vector<Stream> streams;
  for (int i = 0; i < kStreams; ++i) {
    Request request{.prompt = some_ids(5, 1), .max_length = 5 + kTokens};
    request.ignore_eos = true;
    auto stream = engine->submit(std::move(request), [&](const Event&) { ++put_aside; });
    ASSERT_TRUE(stream) << stream.assume_error().message;
    streams.push_back(std::move(stream.assume_value()));
  }
  constexpr int kEvents = kStreams * (kTokens + 1);
  for (int now = passed_on; now < kEvents; now = passed_on) passed_on.wait(now);
  EXPECT_EQ(put_aside, kEvents);
  EXPECT_LE(times, static_cast<int>(engine->stats().steps) + 1);
}

// Also where nothing is computed: a request without room for a token, and one that is cancelled.
TEST(ManyRequests, CallbacksWithoutAStepAreFollowedByACall) {
  std::atomic<int> put_aside = 0, passed_on = 0;
  auto engine = load();
  engine->after_callbacks([&] {
    passed_on = put_aside.load();
    passed_on.notify_all();
  });
  auto await = [&](int events) {
    for (int now = passed_on; now < events; now = passed_on) passed_on.wait(now);
  };
  auto count = [&](const Event&) { ++put_aside; };
  auto empty = engine->submit({.prompt = {1}, .max_length = 1}, count);
  ASSERT_TRUE(empty) << empty.assume_error().message;
  await(1);
  Request endless{.prompt = {1}, .max_length = 64};
  endless.ignore_eos = true;
  auto stream = engine->submit(endless, count);
  ASSERT_TRUE(stream) << stream.assume_error().message;
  await(2);
  stream.assume_value().cancel();
  engine.reset();  // whatever it had still to tell, is told
  EXPECT_EQ(passed_on, put_aside);
}

}  // namespace
}  // namespace chorus

// Running out of memory on the engine's thread: every allocation of whole generations fails once,
// one after another. The request that asked ends, and nothing else: the engine is intact, and the
// next request has the text that it always has.

#include "chorus/engine.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "engine/engine_impl.h"
#include "memory/failing_allocations.h"
#include "support/tiny_model.h"

namespace chorus {
namespace {

using test::FailingAllocations;

// More than any of the generations here allots; the test would be endless otherwise.
constexpr std::uint64_t kMostAllocations = 20'000;

std::unique_ptr<Engine> load(EngineOptions options) {
  test::TinyModel tiny(test::odd_config());
  if (options.threads == 0) options.threads = 1;
  auto engine = Engine::load(tiny.checkpoint(), options);
  EXPECT_TRUE(engine) << engine.assume_error().message;
  return std::move(engine.assume_value());
}

// Reads a page and a half, and needs everything that a request may need.
Request long_request() {
  Request request;
  request.prompt.resize(50);
  std::iota(request.prompt.begin(), request.prompt.end(), 3);
  request.max_length = 60;
  request.n = 2;
  request.logprobs = 2;
  request.prompt_logprobs = 1;
  request.min_tokens = 4;
  request.stop_ids = {7};
  request.stop = {"a stop string that is far longer than anything", "another of that kind"};
  request.sampling.seed = 5;
  request.sampling.top_k = 20;
  request.sampling.top_p = 0.9;
  request.sampling.repetition_penalty = 1.1f;
  request.sampling.logit_bias = {{3, -2.0f}};
  return request;
}

Request short_request() {
  Request request;
  request.prompt = {9, 8, 7};
  request.max_length = 30;
  return request;
}

std::string describe(const std::vector<Completion>& samples) {
  std::string text;
  for (const Completion& sample : samples) {
    text += fmt::format("{}: {}", finish_reason_name(sample.finish_reason),
                        fmt::join(sample.tokens, " "));
    for (const auto* tokens : {&sample.prompt, &sample.result}) {
      for (const TokenInfo& token : *tokens) {
        text += fmt::format(" {}", token.logprob.value_or(0.0));
        for (const TokenLogprob& top : token.top) {
          text += fmt::format("/{}:{}", top.id, top.logprob);
        }
      }
    }
    text += "\n";
  }
  return text;
}

std::string text_of(const Result<std::vector<Completion>>& result) {
  return result ? describe(result.assume_value()) : "error: " + result.assume_error().message;
}

void expect_intact(Engine& engine) {
  auto intact = EngineInternals::check_integrity(engine);
  EXPECT_TRUE(intact) << intact.assume_error().message;
  EngineStats stats = engine.stats();
  EXPECT_EQ(stats.running, 0u);
  EXPECT_EQ(stats.waiting, 0u);
  EXPECT_EQ(stats.kv_usage, 0.0);
  EXPECT_EQ(stats.kv_reserved, 0.0);
}

// Fails each allocation of `request` once, `count` of them in a row, and compares afterwards.
void fail_each(Engine& engine, const Request& request, std::uint64_t count) {
  std::string expected = text_of(engine.complete(request));
  std::uint64_t failures = 0, nth = 1;
  for (; nth < kMostAllocations; ++nth) {
    SCOPED_TRACE(fmt::format("allocation {}", nth));
    FailingAllocations failing(nth, count);
    Result<std::vector<Completion>> result = engine.complete(request);
    failing.stop();
    if (!result) {
      ++failures;
      ASSERT_EQ(result.assume_error().code, ErrorCode::kOutOfMemory)
          << result.assume_error().message;
    } else {
      ASSERT_EQ(text_of(result), expected);
    }
    expect_intact(engine);
    ASSERT_EQ(text_of(engine.complete(request)), expected);
    if (!failing.has_failed()) break;
  }
  EXPECT_LT(nth, kMostAllocations);
  EXPECT_GT(failures, 20u) << "of " << nth;
  testing::Test::RecordProperty("allocations", std::to_string(nth - 1));
}

TEST(EngineMemory, AnAllocationThatFailsEndsItsRequestAndNothingElse) {
  auto engine = load({});
  fail_each(*engine, long_request(), 1);
}

TEST(EngineMemory, SeveralInARowDoTooWithMoreThreads) {
  auto engine = load({.threads = 2});
  fail_each(*engine, short_request(), 8);
}

TEST(EngineMemory, FiftyInARowDoToo) {
  auto engine = load({});
  fail_each(*engine, long_request(), 50);
}

TEST(EngineMemory, WithoutThePrefixCache) {
  auto engine = load({.prefix_cache = false});
  Request request = long_request();
  request.one_stream = true;
  fail_each(*engine, request, 1);
}

TEST(EngineMemory, PastTheBlock) {
  auto engine = load({});
  Request request = short_request();
  request.past_block = PastBlock::kCrop;
  request.prompt = long_request().prompt;
  request.max_length = 84;
  fail_each(*engine, request, 1);
}

// Pages are scarce: they are taken over from the cache and copied, and requests wait for each other.
TEST(EngineMemory, WithFewPagesAndRequestsThatWait) {
  auto engine = load({.kv_memory = 4 * 32'256 + 100, .step_rows = 8});
  Request request = short_request();
  request.prompt = long_request().prompt;
  request.max_length = 56;
  request.n = 3;
  fail_each(*engine, request, 1);
}

TEST(EngineMemory, OneOfTwoRequestsAtMostIsConcerned) {
  auto engine = load({});
  Request one = long_request(), two = short_request();
  one.echo = two.echo = true;  // as complete() has it
  std::string expected_one = text_of(engine->complete(one));
  std::string expected_two = text_of(engine->complete(two));
  auto begin = [&](const Request& request) {
    test::ExemptFromFailing exempt;
    return engine->submit(request);
  };
  auto read = [](Result<Stream>& stream, const Request& request) {
    test::ExemptFromFailing exempt;
    std::vector<Completion> samples(static_cast<std::size_t>(request.n));
    for (Completion& sample : samples) sample.tokens = request.prompt;
    std::optional<Error> error;
    bool last = false;
    while (auto event = stream.assume_value().next()) {
      EXPECT_FALSE(last);
      last = event->last;
      Completion& sample = samples[static_cast<std::size_t>(event->sample)];
      if (event->kind == Event::Kind::kPrompt) {
        for (Completion& each : samples) each.prompt = event->prompt;
      } else if (event->kind == Event::Kind::kToken) {
        sample.tokens.push_back(event->token.id);
        sample.result.push_back(event->token);
      } else if (event->kind == Event::Kind::kDone) {
        sample.finish_reason = event->finish_reason;
      } else {
        error = event->error;
      }
    }
    EXPECT_TRUE(last);
    return error ? "error: " + error->message : describe(samples);
  };
  bool has_failed = true;
  std::uint64_t nth = 1;
  for (; has_failed && nth < kMostAllocations; ++nth) {
    SCOPED_TRACE(fmt::format("allocation {}", nth));
    FailingAllocations failing(nth);
    Result<Stream> first = begin(one), second = begin(two);
    ASSERT_TRUE(first && second);
    std::string text_one = read(first, one), text_two = read(second, two);
    failing.stop();
    has_failed = failing.has_failed();
    EXPECT_TRUE(text_one == expected_one || text_two == expected_two);
    EXPECT_TRUE(text_one == expected_one || text_one == "error: out of memory") << text_one;
    EXPECT_TRUE(text_two == expected_two || text_two == "error: out of memory") << text_two;
    expect_intact(*engine);
  }
  EXPECT_LT(nth, kMostAllocations);
  EXPECT_EQ(text_of(engine->complete(one)), expected_one);
  EXPECT_EQ(text_of(engine->complete(two)), expected_two);
}

TEST(EngineMemory, LoadingIsAnError) {
  test::TinyModel tiny(test::odd_config());
  bool has_failed = true;
  for (std::uint64_t nth = 1; has_failed && nth < kMostAllocations; ++nth) {
    FailingAllocations failing(nth);
    auto engine = Engine::load(tiny.checkpoint(), {.threads = 1});
    failing.stop();
    has_failed = failing.has_failed();
    if (!engine) {
      EXPECT_EQ(engine.assume_error().code, ErrorCode::kOutOfMemory);
    } else {
      EXPECT_TRUE(engine.assume_value()->complete(short_request()));
    }
  }
}

}  // namespace
}  // namespace chorus

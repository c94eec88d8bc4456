// Whose loop a request follows: what draws, what ends a text, and what happens past the block.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chorus/engine.h"
#include "engine/engine_impl.h"
#include "support/tiny_model.h"

namespace chorus {
namespace {

using testing::HasSubstr;
using Ids = std::vector<std::int32_t>;

std::unique_ptr<Engine> load_from(checkpoint::Origin origin, EngineOptions options = {}) {
  test::TinyModel tiny(test::odd_config());
  tiny.checkpoint().origin = origin;
  options.threads = 2;
  auto engine = Engine::load(tiny.checkpoint(), options);
  EXPECT_TRUE(engine) << engine.assume_error().message;
  return std::move(engine.assume_value());
}

Ids tokens_of(Engine& engine, const Request& request) {
  auto result = engine.generate(request);
  EXPECT_TRUE(result) << result.assume_error().message;
  return result ? result.assume_value().tokens : Ids();
}

TEST(Loops, AreByDefaultThoseOfTheCheckpointsProgram) {
  Request request{.prompt = {1, 2, 3}, .max_length = 40, .sampling = {.top_k = 5, .seed = 4}};
  std::vector<Ids> of_loop;
  auto engine = load_from(checkpoint::Origin::kTalk);
  for (SamplingLoop loop :
       {SamplingLoop::kTalk, SamplingLoop::kNanoGpt, SamplingLoop::kTransformers}) {
    request.sampling.loop = loop;
    of_loop.push_back(tokens_of(*engine, request));
  }
  EXPECT_NE(of_loop[0], of_loop[1]);
  EXPECT_EQ(of_loop[1], of_loop[2]);  // nothing has ended the text
  request.sampling.loop.reset();
  EXPECT_EQ(engine->info().loop, SamplingLoop::kTalk);
  EXPECT_EQ(tokens_of(*engine, request), of_loop[0]);
  for (checkpoint::Origin origin :
       {checkpoint::Origin::kNanoGpt, checkpoint::Origin::kTransformers}) {
    auto other = load_from(origin);
    EXPECT_EQ(sampling_loop_name(other->info().loop), std::string(checkpoint::origin_name(origin)));
    EXPECT_EQ(tokens_of(*other, request), of_loop[1]);
  }
}

// A bias makes <|endoftext|> what every loop chooses.
TEST(Loops, DecideWhetherEndOfTextEndsATextUnlessTheRequestDoes) {
  auto config = test::odd_config();
  config.vocab_size = 50257;
  test::TinyModel tiny(config);
  auto engine = std::move(Engine::load(tiny.checkpoint(), {.threads = 2}).assume_value());
  Request request{.prompt = {1}, .max_length = 5};
  request.sampling.logit_bias = {{50256, 1000.0f}};
  auto count = [&](SamplingLoop loop, std::optional<bool> ignore_eos) {
    request.sampling.loop = loop;
    request.ignore_eos = ignore_eos;
    return tokens_of(*engine, request).size();
  };
  EXPECT_EQ(count(SamplingLoop::kTalk, {}), 2u);
  EXPECT_EQ(count(SamplingLoop::kTransformers, {}), 2u);
  EXPECT_EQ(count(SamplingLoop::kNanoGpt, {}), 5u);
  EXPECT_EQ(count(SamplingLoop::kNanoGpt, false), 2u);
  EXPECT_EQ(count(SamplingLoop::kTransformers, true), 5u);
}

// What the second sample of a stream draws is what one long stream would have drawn there: here the
// samples are of one length, and nothing ends them.
TEST(OneStream, ContinuesTheGeneratorFromSampleToSample) {
  for (bool prefix_cache : {true, false}) {
    auto engine = load_from(checkpoint::Origin::kNanoGpt, {.prefix_cache = prefix_cache});
    Request request{.prompt = {1, 2, 3}, .max_length = 13, .sampling = {.top_k = 20, .seed = 4}};
    request.n = 4;
    request.one_stream = true;
    auto samples = engine->complete(request).assume_value();
    ASSERT_EQ(samples.size(), 4u);
    Request alone = request;
    alone.n = 1;
    EXPECT_EQ(samples[0].tokens, tokens_of(*engine, alone));
    for (std::size_t i = 1; i < 4; ++i) {
      EXPECT_NE(samples[i].tokens, samples[0].tokens);
      alone.sampling.seed = 4 + i;
      EXPECT_NE(samples[i].tokens, tokens_of(*engine, alone));
    }
    EXPECT_EQ(engine->complete(request).assume_value()[3].tokens, samples[3].tokens);
  }
}

TEST(OneStream, GoesOnWhereASampleHasEndedEarly) {
  auto engine = load_from(checkpoint::Origin::kNanoGpt);
  Request request{.prompt = {1, 2, 3}, .max_length = 40, .sampling = {.top_k = 20, .seed = 4}};
  request.one_stream = true;
  request.n = 3;
  request.stop_ids = {engine->complete(request).assume_value()[0].tokens[8]};
  auto samples = engine->complete(request).assume_value();
  EXPECT_EQ(samples[0].finish_reason, FinishReason::kStop);
  EXPECT_LE(samples[0].tokens.size(), 9u);
  EXPECT_EQ(engine->complete(request).assume_value()[2].tokens, samples[2].tokens);
}

TEST(OneStream, EndsAtOnceWhenCancelled) {
  auto engine = load_from(checkpoint::Origin::kNanoGpt);
  Request request{.prompt = {1}, .max_length = 77, .n = 50, .one_stream = true};
  auto stream = engine->submit(request);
  ASSERT_TRUE(stream);
  EXPECT_TRUE(stream.assume_value().next());
  stream.assume_value().cancel();
  int ends = 0;
  while (auto event = stream.assume_value().next()) ends += event->kind == Event::Kind::kDone;
  EXPECT_EQ(ends, 50);
  EXPECT_TRUE(EngineInternals::check_integrity(*engine));
}

// The window as a text of its own: the next token of the last 77 ids, with as many draws passed
// over as the tokens before have taken.
TEST(PastBlock, EachTokenIsThatOfTheLastBlockReadAlone) {
  auto engine = load_from(checkpoint::Origin::kNanoGpt);
  Ids prompt;
  for (std::int32_t i = 0; i < 100; ++i) prompt.push_back(i * 37 % 131);
  for (std::size_t length : {1u, 70u, 77u, 78u, 100u}) {
    Request request{
        .prompt = {prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(length)},
        .max_length = 110,
        .past_block = PastBlock::kCrop};
    request.sampling.temperature = 0.0f;
    Ids tokens = tokens_of(*engine, request);
    ASSERT_EQ(tokens.size(), 110u);
    for (std::size_t i = std::max<std::size_t>(length, 77); i < tokens.size(); ++i) {
      Ids window(tokens.begin() + static_cast<std::ptrdiff_t>(i - 77),
                 tokens.begin() + static_cast<std::ptrdiff_t>(i));
      Request next{.prompt = window, .max_length = 78, .past_block = PastBlock::kCrop};
      next.sampling.temperature = 0.0f;
      ASSERT_EQ(tokens_of(*engine, next).back(), tokens[i]) << length << " " << i;
    }
  }
  EXPECT_TRUE(EngineInternals::check_integrity(*engine));
}

TEST(PastBlock, IsAnErrorUnlessAskedForAndHasABoundOfItsOwn) {
  auto engine = load_from(checkpoint::Origin::kNanoGpt);
  auto error_of = [&](const Request& request) {
    auto stream = engine->submit(request);
    return stream ? std::string("no error") : stream.assume_error().message;
  };
  Request request{.prompt = Ids(90, 5), .max_length = 95};
  EXPECT_EQ(error_of(request),
            "max_length: expected 1 to 77 (the model's block size), found 95; past_block crop goes "
            "on past it");
  request.past_block = PastBlock::kCrop;
  request.max_length = kMostTokens + 1;
  EXPECT_EQ(error_of(request), "max_length: expected 1 to 1000000, found 1000001");
  request.max_length = kMostTokens;
  request.n = 17;
  EXPECT_EQ(error_of(request),
            "max_length: expected at most 16000000 tokens of all samples past the model's block, "
            "found 17 samples of 1000000");
  request.n = 1;
  request.prompt_logprobs = 0;
  EXPECT_THAT(error_of(request), HasSubstr("prompt_logprobs: expected a prompt of at most 77"));
}

// A text that passes the block holds one block of pages, whatever its length, and gives them back.
TEST(PastBlock, TakesTheMemoryOfOneBlockAndIsCancelledLikeOthers) {
  constexpr std::uint64_t kPageBytes = 2 * 3 * (10 + 32) * 32 * 4;
  auto engine = load_from(checkpoint::Origin::kNanoGpt, {.kv_memory = 3 * kPageBytes});
  Request request{.prompt = {1}, .max_length = 100'000, .past_block = PastBlock::kCrop};
  Stream endless = std::move(engine->submit(request).assume_value());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(endless.next());
  EXPECT_TRUE(EngineInternals::check_integrity(*engine));
  endless.cancel();
  while (endless.next()) {
  }
  EXPECT_TRUE(EngineInternals::check_integrity(*engine));
  EXPECT_EQ(engine->stats().kv_usage, 0.0);
  request.max_length = 90;
  EXPECT_EQ(tokens_of(*engine, request).size(), 90u);
}

}  // namespace
}  // namespace chorus

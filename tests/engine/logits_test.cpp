// Logits of every position: the very bits that generation draws from and that scoring reads.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <thread>

#include "chorus/engine.h"
#include "kernels/kernels.h"
#include "sampling/logprobs.h"
#include "support/tiny_model.h"

namespace chorus {
namespace {

constexpr std::int32_t kLogitsVocabulary = 131, kLogitsBlock = 77;

std::vector<std::int32_t> ids_of_length(std::int32_t length) {
  std::vector<std::int32_t> ids;
  for (std::int32_t i = 0; i < length; ++i) ids.push_back((i * 37 + i * i) % kLogitsVocabulary);
  return ids;
}

std::unique_ptr<Engine> load_with(EngineOptions options) {
  test::TinyModel tiny(test::odd_config());
  options.threads = std::max<std::size_t>(options.threads, 1);
  auto engine = Engine::load(tiny.checkpoint(), options);
  EXPECT_TRUE(engine) << engine.assume_error().message;
  return std::move(engine.assume_value());
}

std::vector<float> logits_of(Engine& engine, const std::vector<std::int32_t>& ids) {
  auto logits = engine.logits(ids);
  EXPECT_TRUE(logits) << logits.assume_error().message;
  return logits ? std::move(logits.assume_value()) : std::vector<float>{};
}

std::span<const float> row_of(const std::vector<float>& logits, std::size_t position) {
  auto vocabulary = static_cast<std::size_t>(kLogitsVocabulary);
  return std::span(logits).subspan(position * vocabulary, vocabulary);
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(a, b, [](float x, float y) {
    return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

// What the row says of a token, with the likeliest ones, as generation and scoring tell it.
TokenInfo info_of(std::span<const float> row, std::int32_t id, std::int32_t top) {
  return sampling::token_info(kernels::kernels_for(kernels::Isa::kScalar), row, kLogitsVocabulary,
                              id, {top, false});
}

void expect_same(const TokenInfo& a, const TokenInfo& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.logprob, b.logprob);
  ASSERT_EQ(a.top.size(), b.top.size());
  for (std::size_t i = 0; i < a.top.size(); ++i) {
    EXPECT_EQ(a.top[i].id, b.top[i].id);
    EXPECT_EQ(a.top[i].logprob, b.top[i].logprob);
  }
}

TEST(Logits, AreWhatGenerationDrawsFrom) {
  auto engine = load_with({});
  for (std::int32_t top_k : {0, 7}) {
    auto text = engine->generate({.prompt = ids_of_length(5),
                                  .max_length = kLogitsBlock,
                                  .sampling = {.temperature = 0.8f, .top_k = top_k, .seed = 3},
                                  .logprobs = 4});
    ASSERT_TRUE(text) << text.assume_error().message;
    const Completion& completion = text.assume_value();
    std::vector<float> logits = logits_of(*engine, completion.tokens);
    ASSERT_EQ(completion.result.size(), 72u);
    for (std::size_t i = 0; i < completion.result.size(); ++i) {
      const TokenInfo& drawn = completion.result[i];
      expect_same(info_of(row_of(logits, 4 + i), drawn.id, 4), drawn);
    }
  }
}

TEST(Logits, AreWhatScoringReads) {
  auto engine = load_with({});
  std::vector<std::int32_t> ids = ids_of_length(kLogitsBlock);
  std::vector<float> logits = logits_of(*engine, ids);
  auto score = engine->score({.ids = ids});
  ASSERT_TRUE(score);
  for (std::size_t i = 1; i < ids.size(); ++i) {
    EXPECT_EQ(*info_of(row_of(logits, i - 1), ids[i], 0).logprob, score.assume_value().logprobs[i]);
  }
}

// Pages hold 32 positions, and a step has logits of at most 64 rows of prompts.
TEST(Logits, HaveTheSameBitsInChunksOfAnySize) {
  auto whole = load_with({});
  for (std::int32_t length : {1, 2, 31, 32, 33, 63, 64, 65, 76, 77}) {
    std::vector<std::int32_t> ids = ids_of_length(length);
    std::vector<float> expected = logits_of(*whole, ids);
    ASSERT_EQ(expected.size(), ids.size() * kLogitsVocabulary);
    for (std::size_t step_rows : {1, 3, 32, 64, 65}) {
      auto engine = load_with({.threads = 2, .step_rows = step_rows});
      EXPECT_TRUE(same_bits(logits_of(*engine, ids), expected)) << length << " " << step_rows;
      EXPECT_TRUE(same_bits(logits_of(*engine, ids), expected)) << "with its prefix cached";
    }
  }
}

TEST(Logits, OfABeginningAreTheBeginningOfTheLogits) {
  auto engine = load_with({});
  std::vector<float> whole = logits_of(*engine, ids_of_length(kLogitsBlock));
  for (std::int32_t length : {1, 32, 40, 76}) {
    std::vector<float> beginning = logits_of(*engine, ids_of_length(length));
    EXPECT_TRUE(same_bits(beginning, std::span(whole).first(beginning.size()))) << length;
  }
}

TEST(Logits, AreTheSameBesideManyOthers) {
  auto engine = load_with({.threads = 2});
  std::vector<float> expected = logits_of(*engine, ids_of_length(70));
  std::vector<Stream> others;
  for (std::int32_t i = 0; i < 20; ++i) {
    others.push_back(std::move(engine
                                   ->submit({.prompt = ids_of_length(1 + i),
                                             .max_length = kLogitsBlock,
                                             .sampling = {.seed = 9}})
                                   .value()));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        EXPECT_TRUE(same_bits(logits_of(*engine, ids_of_length(70)), expected));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Logits, ComeWithARequestThatGoesOnToGenerate) {
  auto engine = load_with({});
  std::vector<std::int32_t> prompt = ids_of_length(40);
  Request plain{.prompt = prompt,
                .max_length = 60,
                .sampling = {.seed = 5, .repetition_penalty = 1.5f},
                .n = 3,
                .prompt_logprobs = 2,
                .prompt_logprobs_from = 7};
  auto expected = engine->complete(plain);
  Request with_logits = plain;
  auto room = std::make_shared<std::vector<float>>(prompt.size() * kLogitsVocabulary);
  with_logits.prompt_logits = std::shared_ptr<float>(room, room->data());
  auto result = engine->complete(with_logits);
  ASSERT_TRUE(expected && result);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(result.assume_value()[i].tokens, expected.assume_value()[i].tokens);
  }
  const auto& told = result.assume_value()[0].prompt;
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    EXPECT_EQ(told[i].logprob.has_value(), i >= 7) << i;
    expect_same(told[i], expected.assume_value()[0].prompt[i]);
  }
  EXPECT_TRUE(same_bits(*room, logits_of(*engine, prompt)));
}

TEST(Logits, StayInTheirRoomWhenTheTextGoesPastTheBlock) {
  auto engine = load_with({});
  std::vector<std::int32_t> prompt = ids_of_length(70);
  std::size_t floats = prompt.size() * kLogitsVocabulary;
  auto room = std::make_shared<std::vector<float>>(floats + 1000, 12345.0f);
  auto text = engine->generate({.prompt = prompt,
                                .max_length = 100,
                                .past_block = PastBlock::kCrop,
                                .prompt_logits = std::shared_ptr<float>(room, room->data())});
  ASSERT_TRUE(text) << text.assume_error().message;
  EXPECT_EQ(text.assume_value().tokens.size(), 100u);
  EXPECT_TRUE(same_bits(std::span(*room).first(floats), logits_of(*engine, prompt)));
  EXPECT_EQ(std::count(room->begin(), room->end(), 12345.0f), 1000);
}

TEST(Logits, OfWhatCannotBeReadAreRefused) {
  auto engine = load_with({});
  auto error = [&](const std::vector<std::int32_t>& ids) {
    auto logits = engine->logits(ids);
    return logits ? "no error" : logits.assume_error().message;
  };
  EXPECT_EQ(error({}), "ids: expected 1 to 77 tokens (the model's block size), found 0");
  EXPECT_EQ(error(ids_of_length(78)),
            "ids: expected 1 to 77 tokens (the model's block size), found 78");
  EXPECT_EQ(error({5, -1}),
            "ids[1]: expected an id from 0 to 130 (the model's vocabulary), found -1");
  auto room = std::make_shared<std::vector<float>>(1);
  auto longer = engine->submit({.prompt = ids_of_length(78),
                                .max_length = 78,
                                .past_block = PastBlock::kCrop,
                                .prompt_logits = std::shared_ptr<float>(room, room->data())});
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.assume_error().message,
            "prompt_logits: expected a prompt of at most 77 tokens (the model's block size), found "
            "78");
}

TEST(Logits, MayBeCancelled) {
  auto engine = load_with({.step_rows = 1});
  for (int i = 0; i < 20; ++i) {
    auto room = std::make_shared<std::vector<float>>(77 * kLogitsVocabulary);
    auto stream = engine->submit({.prompt = ids_of_length(77),
                                  .max_length = 77,
                                  .prompt_logits = std::shared_ptr<float>(room, room->data())});
    ASSERT_TRUE(stream);
  }
  EXPECT_EQ(logits_of(*engine, ids_of_length(77)).size(), 77u * kLogitsVocabulary);
  EXPECT_EQ(engine->stats().running, 0u);
}

// Without: a million tokens, each of which reads a block.
TEST(Cancellation, EndsWhatWaitsElsewhereAndWhatComes) {
  auto engine = load_with({});
  auto cancellation = std::make_shared<Cancellation>();
  Request endless{.prompt = {1},
                  .max_length = kMostTokens,
                  .past_block = PastBlock::kCrop,
                  .cancellation = cancellation};
  Result<std::vector<Completion>> generated = std::vector<Completion>();
  Result<Score> score = Score{};
  std::thread generates([&] { generated = engine->complete(endless); });
  std::thread scores([&] {
    score = engine->score({.ids = std::vector<std::int32_t>(1'000'000, 3),
                           .stride = 1,
                           .cancellation = cancellation});
  });
  while (engine->stats().prompt_tokens < 200) std::this_thread::yield();
  cancellation->cancel();
  generates.join();
  scores.join();
  ASSERT_TRUE(generated);
  EXPECT_EQ(generated.assume_value()[0].finish_reason, FinishReason::kCancelled);
  ASSERT_FALSE(score);
  EXPECT_EQ(score.assume_error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(score.assume_error().message, "scoring was cancelled");
  auto later = engine->complete(endless);
  ASSERT_TRUE(later);
  EXPECT_EQ(later.assume_value()[0].finish_reason, FinishReason::kCancelled);
  EXPECT_TRUE(engine->logits(ids_of_length(3)));  // others are not concerned
}

TEST(Cancellation, MayBeUsedForManyAndOutliveThem) {
  auto cancellation = std::make_shared<Cancellation>();
  {
    auto engine = load_with({});
    for (int i = 0; i < 500; ++i) {
      auto text = engine->generate({.prompt = {1}, .max_length = 2, .cancellation = cancellation});
      ASSERT_TRUE(text);
      EXPECT_EQ(text.assume_value().finish_reason, FinishReason::kLength);
    }
  }
  cancellation->cancel();
}

}  // namespace
}  // namespace chorus

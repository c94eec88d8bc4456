// Generation and scoring through the public interface.

#include "chorus/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "checkpoint/safetensors/write.h"
#include "core/assets.h"
#include "core/memory.h"
#include "core/thread_team.h"
#include "model/quantise.h"
#include "support/scratch_folder.h"
#include "support/tiny_model.h"

namespace chorus {
namespace {

using testing::HasSubstr;

std::unique_ptr<Engine> load(const checkpoint::Checkpoint& checkpoint, std::size_t threads = 1) {
  auto engine = Engine::load(checkpoint, {.threads = threads});
  EXPECT_TRUE(engine) << engine.assume_error().message;
  return std::move(engine.assume_value());
}

std::unique_ptr<Engine> load_storyteller(std::size_t threads = 1) {
  auto checkpoint = checkpoint::open(embedded_storyteller().value());
  EXPECT_TRUE(checkpoint) << checkpoint.assume_error().message;
  return load(checkpoint.assume_value(), threads);
}

std::string error_of(Engine& engine, const Request& request) {
  auto result = engine.generate(request);
  return result ? "no error" : result.assume_error().message;
}

class TinyEngine : public testing::Test {
 protected:
  test::TinyModel tiny_{test::odd_config()};
  std::unique_ptr<Engine> engine_ = load(tiny_.checkpoint());
};

TEST_F(TinyEngine, GeneratesUpToMaxLengthAndTheSameAgain) {
  Request request{.prompt = {1, 2, 3}, .max_length = 77, .sampling = {.seed = 5}, .stop = {}};
  auto first = engine_->generate(request);
  ASSERT_TRUE(first) << first.assume_error().message;
  EXPECT_EQ(first.assume_value().tokens.size(), 77u);
  EXPECT_EQ(first.assume_value().usage.generated_tokens, 74);
  EXPECT_EQ(first.assume_value().finish_reason, FinishReason::kLength);
  auto other = load(tiny_.checkpoint(), 3);
  EXPECT_EQ(other->generate(request).assume_value().tokens, first.assume_value().tokens);
  request.sampling.seed = 6;
  EXPECT_NE(engine_->generate(request).assume_value().tokens, first.assume_value().tokens);
}

TEST_F(TinyEngine, APromptOfMaxLengthIsReturnedAsItIs) {
  auto result = engine_->generate({.prompt = {1, 2}, .max_length = 2, .sampling = {}, .stop = {}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result.assume_value().tokens, (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(result.assume_value().finish_reason, FinishReason::kLength);
}

TEST_F(TinyEngine, BadRequestsAreRefusedByField) {
  EXPECT_EQ(error_of(*engine_, {.prompt = {}, .max_length = 9, .sampling = {}, .stop = {}}),
            "prompt: expected at least one token, found none");
  EXPECT_EQ(error_of(*engine_, {.prompt = {1}, .max_length = 78, .sampling = {}, .stop = {}}),
            "max_length: expected 1 to 77 (the model's block size), found 78; past_block crop goes "
            "on past "
            "it");
  EXPECT_EQ(error_of(*engine_, {.prompt = {1, 2}, .max_length = 1, .sampling = {}, .stop = {}}),
            "prompt: expected at most max_length = 1 tokens, found 2");
  EXPECT_EQ(error_of(*engine_, {.prompt = {1, 131}, .max_length = 9, .sampling = {}, .stop = {}}),
            "prompt[1]: expected an id from 0 to 130 (the model's vocabulary), found 131");
  EXPECT_THAT(
      error_of(*engine_,
               {.prompt = {1}, .max_length = 9, .sampling = {.temperature = -1.0f}, .stop = {}}),
      HasSubstr("temperature"));
}

TEST_F(TinyEngine, NonfiniteWeightsAreRefusedByNameUnlessAllowed) {
  auto& tensor = tiny_.checkpoint().tensors.at("h.1.ln_2.weight");
  auto* values = reinterpret_cast<float*>(const_cast<std::byte*>(tensor.data.data()));
  values[4] = std::numeric_limits<float>::infinity();
  auto refused = Engine::load(tiny_.checkpoint(), {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.assume_error().message, HasSubstr("h.1.ln_2.weight[4]"));
  EXPECT_TRUE(Engine::load(tiny_.checkpoint(), {.allow_nonfinite = true}));
}

TEST_F(TinyEngine, LogprobsOfAWindowAreThoseOfItsTextAlone) {
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 200; ++i) ids.push_back((i * 37 + i * i) % 131);
  auto whole = engine_->score({.ids = ids, .bos = false, .stride = 30});
  ASSERT_TRUE(whole) << whole.assume_error().message;
  const Score& score = whole.assume_value();
  EXPECT_EQ(score.scored, 199u);
  EXPECT_EQ(score.contexts[0], 0);
  double total = 0.0;
  for (std::size_t i = 1; i < ids.size(); ++i) {
    total -= score.logprobs[i];
    auto context = static_cast<std::size_t>(score.contexts[i]);
    EXPECT_EQ(context, i < 77 ? i : 77 - 30 + (i - 77) % 30) << i;
    auto first = ids.begin() + static_cast<std::ptrdiff_t>(i - context);
    auto alone = engine_->score(
        {.ids = {first, ids.begin() + static_cast<std::ptrdiff_t>(i + 1)}, .bos = false});
    EXPECT_EQ(alone.assume_value().logprobs.back(), score.logprobs[i]) << i;
  }
  EXPECT_NEAR(score.loss, total / 199.0, 1e-12);
}

TEST_F(TinyEngine, EveryStrideScoresEachTokenOnce) {
  std::vector<std::int32_t> ids(160, 3);
  for (std::int32_t stride : {1, 2, 38, 76, 77}) {
    auto score = engine_->score({.ids = ids, .bos = false, .stride = stride});
    ASSERT_TRUE(score);
    EXPECT_EQ(score.assume_value().scored, 159u);
    for (std::size_t i = 1; i < ids.size(); ++i) {
      EXPECT_GE(score.assume_value().contexts[i], 1) << stride << " " << i;
      EXPECT_LT(score.assume_value().logprobs[i], 0.0);
    }
  }
  auto refused = engine_->score({.ids = ids, .bos = false, .stride = 78});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.assume_error().message, HasSubstr("stride: expected 1 to 77"));
}

TEST_F(TinyEngine, ProbabilitiesOfAllContinuationsSumToOne) {
  double sum = 0.0;
  for (std::int32_t id = 0; id < 131; ++id) {
    sum +=
        std::exp(engine_->score({.ids = {5, 9, id}, .bos = false}).assume_value().logprobs.back());
  }
  EXPECT_NEAR(sum, 1.0, 1e-6);
}

TEST_F(TinyEngine, RankAndEntropyComeWithLogprobsAndAreTheSameBesideOthers) {
  Request request{.prompt = {5, 9, 11},
                  .max_length = 40,
                  .sampling = {.temperature = 1.3f, .seed = 3},
                  .logprobs = 2,
                  .prompt_logprobs = 100};
  auto without = engine_->complete(request).assume_value();
  request.rank_and_entropy = true;
  auto alone = engine_->complete(request).assume_value()[0];
  EXPECT_EQ(without[0].tokens, alone.tokens);
  EXPECT_FALSE(without[0].result[0].rank || without[0].result[0].entropy);
  EXPECT_FALSE(alone.prompt[0].rank || alone.prompt[0].entropy);  // nothing stands before it
  for (std::size_t i = 1; i < alone.prompt.size(); ++i) {
    const TokenInfo& token = alone.prompt[i];
    ASSERT_TRUE(token.rank && token.entropy) << i;
    auto place = static_cast<std::size_t>(*token.rank) - 1;
    ASSERT_LT(place, 131u);
    EXPECT_TRUE(place >= token.top.size() || token.top[place].id == token.id) << i;
  }
  request.n = 7;  // the first among six others
  auto many = engine_->complete(request).assume_value()[0];
  ASSERT_EQ(many.result.size(), alone.result.size());
  for (std::size_t i = 0; i < many.result.size(); ++i) {
    EXPECT_EQ(many.result[i].rank, alone.result[i].rank) << i;
    EXPECT_EQ(many.result[i].entropy, alone.result[i].entropy) << i;
    EXPECT_GT(*many.result[i].entropy, 0.0);
    EXPECT_LT(*many.result[i].entropy, std::log(131.0) + 1e-9);
  }
}

TEST_F(TinyEngine, TheDigestIsOfTheWeightsAsTheyAreComputedWith) {
  std::string digest = engine_->digest();
  EXPECT_EQ(digest.size(), 32u);
  EXPECT_EQ(load(tiny_.checkpoint(), 3)->digest(), digest);
  auto as_bf16 = Engine::load(tiny_.checkpoint(), {.dtype = NumberFormat::kBf16, .threads = 1});
  EXPECT_NE(as_bf16.assume_value()->digest(), digest);

  // One bit of one bias, of a norm's weight and of a matrix; an id that ends texts.
  for (const char* name : {"h.1.mlp.c_fc.bias", "ln_f.weight", "h.0.attn.c_proj.weight"}) {
    auto& tensor = tiny_.checkpoint().tensors.at(name);
    auto* byte = const_cast<std::byte*>(tensor.data.data());
    *byte ^= std::byte{1};
    EXPECT_NE(load(tiny_.checkpoint())->digest(), digest) << name;
    *byte ^= std::byte{1};
  }
  EXPECT_EQ(load(tiny_.checkpoint())->digest(), digest);
  tiny_.checkpoint().token_ids.eos.push_back(7);
  EXPECT_NE(load(tiny_.checkpoint())->digest(), digest);
}

// Who serves a model must not depend on what becomes of its file.
TEST(Engine, NeedsNoFileOnceItIsLoaded) {
  test::ScratchFolder folder;
  test::TinyModel tiny(test::odd_config());
  ThreadTeam team(1);
  for (NumberFormat format : {NumberFormat::kF32, NumberFormat::kInt8, NumberFormat::kInt4}) {
    checkpoint::Checkpoint source =
        is_quantised(format) ? model::quantise(tiny.checkpoint(), format, team) : tiny.checkpoint();
    std::string path = folder.file("model.safetensors");
    ASSERT_TRUE(checkpoint::write_safetensors(source, path, NumberFormat::kF32));
    auto opened = checkpoint::open(path);
    ASSERT_TRUE(opened) << opened.assume_error().message;
    std::unique_ptr<Engine> engine = load(opened.assume_value());
    auto mapped = Engine::load(opened.assume_value(), {.threads = 1, .keep_mapped = true});
    ASSERT_TRUE(mapped) << mapped.assume_error().message;
    Request request{.prompt = {1, 2, 3}, .max_length = 40};
    std::vector<std::int32_t> tokens =
        mapped.assume_value()->complete(request).assume_value()[0].tokens;
    mapped.assume_value().reset();

    std::filesystem::resize_file(path, 100);
    EXPECT_EQ(engine->complete(request).assume_value()[0].tokens, tokens)
        << number_format_name(format);
  }
}

TEST(Engine, RefusesToHoldWeightsAsWhatNoKernelReads) {
  test::TinyModel model(test::odd_config());
  auto refused = Engine::load(model.checkpoint(), {.dtype = NumberFormat::kF16, .threads = 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.assume_error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.assume_error().message,
            "dtype: expected f32, bf16, bf16-f32, int8 or int4, found f16");
}

// It is spent when texts need it: then the system would end the process.
TEST(Engine, RefusesMoreMemoryForKeysAndValuesThanThereIs) {
  test::TinyModel model(test::odd_config());
  for (std::uint64_t bytes : {most_memory() + 1, std::numeric_limits<std::uint64_t>::max()}) {
    auto refused = Engine::load(model.checkpoint(), {.threads = 1, .kv_memory = bytes});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.assume_error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused.assume_error().message,
              "kv_memory: expected at most " + std::to_string(most_memory()) +
                  " bytes, which is what this process may have, found " + std::to_string(bytes));
  }
}

// Each of them fits.
TEST(Engine, RefusesWhatDoesNotFitBesideOtherEngines) {
  test::TinyModel model(test::odd_config());
  EngineOptions options{.threads = 1, .kv_memory = most_memory() / 5 * 3};
  auto first = Engine::load(model.checkpoint(), options);
  ASSERT_TRUE(first) << first.assume_error().message;
  auto second = Engine::load(model.checkpoint(), options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.assume_error().code, ErrorCode::kOutOfMemory);
  std::string kv = "the keys and values of tiny (kv_memory) " + megabytes_text(options.kv_memory);
  const std::string& message = second.assume_error().message;
  std::size_t found = message.find(kv);
  EXPECT_NE(found, std::string::npos) << message;
  EXPECT_NE(message.find(kv, found + 1), std::string::npos) << message;
  // One whose bound nobody chose gets of what is left.
  auto modest = Engine::load(model.checkpoint(), {.threads = 1});
  ASSERT_TRUE(modest) << modest.assume_error().message;
  EXPECT_LE(modest.assume_value()->info().kv_bytes, (most_memory() - options.kv_memory) / 4);
  first.assume_value().reset();
  EXPECT_TRUE(Engine::load(model.checkpoint(), options));
}

TEST(Storyteller, StreamedPiecesAreTheTextAndStopStringsEndIt) {
  auto engine = load_storyteller();
  Request request{.prompt = engine->encode("Once upon a time").assume_value(),
                  .max_length = 80,
                  .sampling = {},
                  .stop = {}};
  std::string streamed;
  auto result = engine->generate(request, [&](std::string_view text) {
    streamed += text;
    return true;
  });
  ASSERT_TRUE(result);
  EXPECT_EQ("Once upon a time" + streamed, result.assume_value().text);
  EXPECT_EQ(engine->decode(result.assume_value().tokens), result.assume_value().text);

  std::string stop = streamed.substr(streamed.size() / 2, 3);
  request.stop = {stop};
  auto stopped = engine->generate(request);
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped.assume_value().text,
            "Once upon a time" + streamed.substr(0, streamed.find(stop)));
  EXPECT_EQ(stopped.assume_value().finish_reason, FinishReason::kStop);
}

TEST(Storyteller, ACharacterMayBeginInThePromptAndEndInTheResult) {
  auto engine = load_storyteller();
  std::vector<std::int32_t> owl = engine->encode("\xF0\x9F\xA6\x89").assume_value();
  ASSERT_GT(owl.size(), 1u);
  Request request{.prompt = {owl.begin(), owl.end() - 1},
                  .max_length = static_cast<std::int32_t>(owl.size()) + 8,
                  .echo = true};
  std::string streamed;
  auto result = engine->generate(request, [&](std::string_view text) {
    streamed += text;
    return true;
  });
  ASSERT_TRUE(result);
  EXPECT_EQ(streamed, result.assume_value().text);
  EXPECT_EQ(streamed, engine->decode(result.assume_value().tokens));
}

TEST(Storyteller, ACallbackThatRefusesEndsTheGeneration) {
  auto engine = load_storyteller();
  int calls = 0;
  auto result = engine->generate({.prompt = engine->encode("The").assume_value(),
                                  .max_length = 50,
                                  .sampling = {},
                                  .stop = {}},
                                 [&](std::string_view) { return ++calls < 3; });
  ASSERT_TRUE(result);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(result.assume_value().finish_reason, FinishReason::kCancelled);
}

TEST(Storyteller, BosScoresTheFirstTokenToo) {
  auto engine = load_storyteller();
  std::vector<std::int32_t> ids = engine->encode("The cat sat").assume_value();
  auto with = engine->score({.ids = ids, .bos = true}).assume_value();
  auto without = engine->score({.ids = ids, .bos = false}).assume_value();
  EXPECT_EQ(with.scored, ids.size());
  EXPECT_EQ(without.scored, ids.size() - 1);
  std::vector<std::int32_t> longer = ids;
  longer.insert(longer.begin(), tokenizer::kEndOfText);
  auto by_hand = engine->score({.ids = longer, .bos = false}).assume_value();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(with.logprobs[i], by_hand.logprobs[i + 1]);
  }
}

}  // namespace
}  // namespace chorus

#include "sampling/masked_logits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "sampling/fixture.h"
#include "sampling/sampler.h"
#include "sampling/softmax.h"

namespace chorus::sampling {
namespace {

std::vector<std::int32_t> ids_of(std::span<const Candidate> candidates) {
  std::vector<std::int32_t> ids;
  for (const Candidate& candidate : candidates) ids.push_back(candidate.id);
  return ids;
}

std::vector<std::int32_t> top_k_ids(const std::vector<float>& logits, std::size_t k) {
  MaskedLogits masked;
  masked.assign(scalar(), logits, logits.size(), k);
  return ids_of(masked.softmax());
}

TEST(MaskedLogits, LeavesTheLogitsNotBelowTheKthEqualOnesAll) {
  std::vector<float> logits = {1, 3, 2, 3, 2, -kInfinity, 2};
  EXPECT_EQ(top_k_ids(logits, 1), (std::vector<std::int32_t>{1, 3}));
  EXPECT_EQ(top_k_ids(logits, 2), (std::vector<std::int32_t>{1, 3}));
  EXPECT_EQ(top_k_ids(logits, 3), (std::vector<std::int32_t>{1, 2, 3, 4, 6}));
  EXPECT_EQ(top_k_ids(logits, 6), (std::vector<std::int32_t>{0, 1, 2, 3, 4, 6}));
  EXPECT_EQ(top_k_ids(logits, 0), top_k_ids(logits, 6));
  EXPECT_EQ(top_k_ids(logits, 100), top_k_ids(logits, 6));
  EXPECT_EQ(top_k_ids({-0.0f, 0.0f, -1.0f}, 1), (std::vector<std::int32_t>{0, 1}));
}

TEST(MaskedLogits, FindsTheKthBySelectionOrHeapAlike) {
  std::vector<float> logits = random_logits(6400, 3);
  for (std::size_t k : {1u, 50u, 99u, 100u, 101u, 5000u}) {
    EXPECT_EQ(top_k_ids(logits, k).size(), k);
  }
}

// The bits of the softmax over the whole vocabulary: which lane of the sum a probability is added
// in depends on its id.
TEST(MaskedLogits, SoftmaxIsThatOfTheWholeVocabularyBitForBit) {
  for (std::uint32_t seed = 0; seed < 30; ++seed) {
    std::vector<float> logits = random_logits(1000 + seed, seed);
    for (std::size_t k : {1u, 3u, 15u, 300u, 999u}) {
      MaskedLogits masked;
      masked.assign(scalar(), logits, logits.size(), k);
      std::span<const Candidate> candidates = masked.softmax();
      std::vector<float> dense(logits.size(), -kInfinity), probabilities(logits.size());
      for (const Candidate& candidate : candidates) {
        auto id = static_cast<std::size_t>(candidate.id);
        dense[id] = logits[id];
      }
      ASSERT_TRUE(softmax(scalar(), dense, 1.0f, probabilities));
      for (const Candidate& candidate : candidates) {
        ASSERT_EQ(candidate.probability, probabilities[static_cast<std::size_t>(candidate.id)]);
      }
    }
  }
}

TEST(MaskedLogits, TopPAndMinPAlwaysLeaveTheLikeliest) {
  for (std::size_t count : {1u, 2u, 600u, 5000u}) {
    std::vector<float> logits = random_logits(count, 5);
    auto likeliest =
        static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    MaskedLogits masked;
    masked.assign(scalar(), logits, count, 0);
    masked.keep_top_p(0.0);
    EXPECT_EQ(ids_of(masked.softmax()), std::vector<std::int32_t>{likeliest});
    masked.assign(scalar(), logits, count, 0);
    masked.keep_min_p(1.0f);
    EXPECT_EQ(ids_of(masked.softmax()), std::vector<std::int32_t>{likeliest});
  }
}

TEST(MaskedLogits, TopPLeavesTheFewestThatReachIt) {
  std::vector<float> logits;
  for (float p : {0.125f, 0.5f, 0.0625f, 0.25f, 0.0625f}) logits.push_back(std::log(p));
  auto kept = [&](double top_p) {
    MaskedLogits masked;
    masked.assign(scalar(), logits, logits.size(), 0);
    masked.keep_top_p(top_p);
    return ids_of(masked.softmax());
  };
  EXPECT_EQ(kept(0.4), (std::vector<std::int32_t>{1}));
  EXPECT_EQ(kept(0.7), (std::vector<std::int32_t>{1, 3}));
  EXPECT_EQ(kept(0.8), (std::vector<std::int32_t>{0, 1, 3}));
  EXPECT_EQ(kept(0.99), (std::vector<std::int32_t>{0, 1, 2, 3, 4}));
}

SamplingParams of_loop(SamplingLoop loop, std::int32_t top_k, std::uint64_t seed) {
  return {.loop = loop, .top_k = top_k, .seed = seed};
}

// Many steps of one stream: a draw that is passed over must move the generator as far as one that
// is looked at.
TEST(SamplingLoops, DrawForEveryIdOfTheVocabulary) {
  for (RandomStream rng : {RandomStream::kTorchCpu, RandomStream::kTorchCpuMkl}) {
    for (SamplingLoop loop : {SamplingLoop::kNanoGpt, SamplingLoop::kTransformers}) {
      SamplingParams params = of_loop(loop, 20, 8);
      params.rng = rng;
      Sampler sampler(params);
      ExponentialStream stream(rng, 8);
      std::vector<float> draws(3000), p(3000);
      SamplerScratch scratch;
      for (std::uint32_t step = 0; step < 100; ++step) {
        std::vector<float> logits = random_logits(p.size(), step);
        MaskedLogits masked;
        masked.assign(scalar(), logits, logits.size(), 20);
        stream.fill(draws);
        std::int32_t best = -1;
        float largest = 0.0f;
        for (const Candidate& candidate : masked.softmax()) {
          float quotient = candidate.probability / draws[static_cast<std::size_t>(candidate.id)];
          if (quotient > largest) best = candidate.id;
          largest = std::max(largest, quotient);
        }
        ASSERT_EQ(sampler.sample(logits, 3000, scratch).assume_value(), best)
            << random_stream_name(rng) << " " << step;
      }
    }
  }
}

TEST(SamplingLoops, AgreeWhereThereIsNoMask) {
  SamplerScratch scratch;
  Sampler talk(of_loop(SamplingLoop::kTalk, 0, 3)), nanogpt(of_loop(SamplingLoop::kNanoGpt, 0, 3)),
      transformers(of_loop(SamplingLoop::kTransformers, 700, 3));
  for (std::uint32_t step = 0; step < 50; ++step) {
    std::vector<float> logits = random_logits(700, step);
    std::int32_t id = talk.sample(logits, 700, scratch).assume_value();
    EXPECT_EQ(nanogpt.sample(logits, 700, scratch).assume_value(), id);
    EXPECT_EQ(transformers.sample(logits, 700, scratch).assume_value(), id);
  }
}

TEST(SamplingLoops, PaddingIsNeverChosenAndKeepsItsDraws) {
  std::vector<float> logits(200, 0.0f);
  for (std::size_t i = 150; i < 200; ++i) logits[i] = 5.0f;
  SamplerScratch scratch;
  for (std::int32_t k : {0, 1, 3, 50, 170, 500}) {
    Sampler sampler(of_loop(SamplingLoop::kNanoGpt, k, 11));
    for (int i = 0; i < 50; ++i) {
      Result<std::int32_t> id = sampler.sample(logits, 150, scratch);
      ASSERT_TRUE(id) << id.assume_error().message;
      ASSERT_LT(id.assume_value(), 150);
    }
  }
}

TEST(SamplingLoops, RefuseWhatHasNoDistribution) {
  SamplerScratch scratch;
  auto error_of = [&](const SamplingParams& params, const std::vector<float>& logits) {
    Sampler sampler(params);
    auto id = sampler.sample(logits, static_cast<std::int32_t>(logits.size()), scratch);
    return id ? std::string("no error") : id.assume_error().message;
  };
  SamplingParams params = of_loop(SamplingLoop::kNanoGpt, 5, 1);
  std::vector<float> logits(300, 0.0f);
  logits[70] = kNan;
  EXPECT_EQ(error_of(params, logits),
            "logits: no distribution to sample from, the logit of id 70 is nan");
  logits[70] = kInfinity;
  EXPECT_EQ(error_of(params, logits),
            "logits: no distribution to sample from, the logit of id 70 is inf");
  EXPECT_EQ(error_of(params, std::vector<float>(300, -kInfinity)),
            "logits: no distribution to sample from, all 300 are -inf");
  params.temperature = 1e-30f;
  EXPECT_EQ(error_of(params, std::vector<float>(300, 1e20f)),
            "temperature: the largest logit, 1e+20, divided by 1e-30 is not finite");
  params = of_loop(SamplingLoop::kTransformers, 5, 1);
  params.rng = RandomStream::kTorchCuda;
  EXPECT_EQ(error_of(params, std::vector<float>(300, 0.0f)),
            "rng: the transformers loop draws for each of the vocabulary's 300 ids, but the "
            "torch-cuda stream is defined for at most 256 (the talk's loop draws for top_k "
            "candidates)");
  EXPECT_EQ(error_of(params, std::vector<float>(256, 0.0f)), "no error");
}

TEST(SamplingLoop, NamesGoThereAndBack) {
  for (SamplingLoop loop :
       {SamplingLoop::kTalk, SamplingLoop::kNanoGpt, SamplingLoop::kTransformers}) {
    EXPECT_EQ(parse_sampling_loop(sampling_loop_name(loop)).assume_value(), loop);
  }
  EXPECT_EQ(parse_sampling_loop("hf").assume_error().message,
            "loop: \"hf\" is not one of talk, nanogpt, transformers");
}

}  // namespace
}  // namespace chorus::sampling

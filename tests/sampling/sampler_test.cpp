#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "sampling/fixture.h"
#include "sampling/softmax.h"

namespace chorus::sampling {
namespace {

SamplingParams params_with(float temperature, std::int32_t k, std::uint64_t seed,
                           RandomStream rng = RandomStream::kTorchCpu) {
  return {.temperature = temperature, .top_k = k, .seed = seed, .rng = rng};
}

std::int32_t must_sample(Sampler& sampler, const std::vector<float>& logits) {
  SamplerScratch scratch;
  Result<std::int32_t> id =
      sampler.sample(logits, static_cast<std::int32_t>(logits.size()), scratch);
  EXPECT_TRUE(id) << id.assume_error().message;
  return id ? id.assume_value() : -1;
}

std::string error_of(const SamplingParams& params, const std::vector<float>& logits,
                     std::int32_t usable) {
  Sampler sampler(params);
  SamplerScratch scratch;
  Result<std::int32_t> id = sampler.sample(logits, usable, scratch);
  return id ? "no error" : id.assume_error().message;
}

TEST(Sampler, PicksTheLargestQuotientOfProbabilityAndDraw) {
  for (RandomStream rng :
       {RandomStream::kTorchCpu, RandomStream::kTorchCpuMkl, RandomStream::kTorchCuda}) {
    Sampler sampler(params_with(1.0f, 50, 42, rng));
    ExponentialStream stream(rng, 42);
    std::vector<float> draws(50);
    for (std::uint32_t step = 0; step < 40; ++step) {
      std::vector<float> logits = random_logits(5000, step);
      std::vector<float> p(logits.size());
      ASSERT_TRUE(softmax(scalar(), logits, 1.0f, p));
      std::vector<std::int32_t> order(p.size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
      auto probability = [&p](std::int32_t id) { return p[static_cast<std::size_t>(id)]; };
      std::sort(order.begin(), order.end(),
                [&](std::int32_t a, std::int32_t b) { return probability(a) > probability(b); });
      stream.fill(draws);
      std::size_t best = 0;
      for (std::size_t i = 1; i < draws.size(); ++i) {
        if (probability(order[i]) / draws[i] > probability(order[best]) / draws[best]) best = i;
      }
      EXPECT_EQ(must_sample(sampler, logits), order[best]) << random_stream_name(rng);
    }
  }
}

// Values made with PyTorch 1.13.1: torch.multinomial(torch.tensor([.4, .3, .2, .1]), 1) 16 times,
// for each seed as torch.Generator().manual_seed takes it.
TEST(Sampler, ChoosesWhatTorchMultinomialChose) {
  std::vector<float> logits;
  for (float p : {0.4f, 0.3f, 0.2f, 0.1f}) logits.push_back(std::log(p));
  struct Case {
    std::uint64_t seed;
    std::vector<std::int32_t> picks;
  };
  for (const Case& c :
       {Case{42, {0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 1, 3, 0, 0, 0, 0}},
        Case{4294967301, {1, 0, 1, 2, 0, 2, 1, 0, 3, 0, 1, 2, 1, 1, 0, 0}},
        Case{5, {1, 0, 1, 2, 0, 2, 1, 0, 3, 0, 1, 2, 1, 1, 0, 0}},
        Case{std::uint64_t{0} - 1, {1, 1, 1, 1, 0, 0, 0, 0, 2, 3, 2, 0, 1, 0, 2, 1}}}) {
    Sampler sampler(params_with(1.0f, 4, c.seed));
    std::vector<std::int32_t> picks;
    for (std::size_t i = 0; i < c.picks.size(); ++i) picks.push_back(must_sample(sampler, logits));
    EXPECT_EQ(picks, c.picks) << c.seed;
  }
}

TEST(Sampler, ChoosesInProportionToTheProbabilities) {
  std::vector<float> logits;
  for (float p : {0.4f, 0.3f, 0.2f, 0.1f}) logits.push_back(std::log(p));
  for (RandomStream rng :
       {RandomStream::kTorchCpu, RandomStream::kTorchCpuMkl, RandomStream::kTorchCuda}) {
    Sampler sampler(params_with(1.0f, 0, 7, rng));
    std::map<std::int32_t, int> counts;
    for (int i = 0; i < 20000; ++i) ++counts[must_sample(sampler, logits)];
    for (std::int32_t id = 0; id < 4; ++id) {
      EXPECT_NEAR(counts[id], 20000 * 0.1 * (4 - id), 350) << random_stream_name(rng) << " " << id;
    }
  }
}

TEST(Sampler, EveryInstructionSetChoosesTheSame) {
  for (kernels::Isa isa : {kernels::Isa::kAvx2, kernels::Isa::kAvx512}) {
    if (!kernels::is_supported(isa)) continue;
    for (float temperature : {1.0f, 0.8f}) {
      Sampler plain(params_with(temperature, 50, 4), &scalar());
      Sampler vectorised(params_with(temperature, 50, 4), &kernels::kernels_for(isa));
      for (std::uint32_t i = 0; i < 50; ++i) {
        std::vector<float> logits = random_logits(1000 + i, i);
        ASSERT_EQ(must_sample(vectorised, logits), must_sample(plain, logits))
            << kernels::isa_name(isa);
      }
    }
  }
}

TEST(Sampler, TopKOfOneIsTheLargestWhateverTheSeed) {
  std::vector<float> logits = random_logits(1000, 3);
  auto largest = std::max_element(logits.begin(), logits.end()) - logits.begin();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Sampler sampler(params_with(1.0f, 1, seed));
    EXPECT_EQ(must_sample(sampler, logits), largest);
  }
}

TEST(Sampler, TopKOfMoreThanTheVocabularyIsTheWholeVocabulary) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Sampler all(params_with(1.0f, 100, seed));
    Sampler more(params_with(1.0f, 2000000000, seed));
    std::vector<float> logits = random_logits(100, static_cast<std::uint32_t>(seed));
    EXPECT_EQ(must_sample(more, logits), must_sample(all, logits));
  }
}

TEST(Sampler, TopKOfZeroDrawsForEveryIdInItsPlace) {
  for (RandomStream rng : {RandomStream::kTorchCpu, RandomStream::kTorchCpuMkl}) {
    Sampler sampler(params_with(1.0f, 0, 8, rng));
    ExponentialStream stream(rng, 8);
    std::vector<float> draws(3000), p(3000);
    for (std::uint32_t step = 0; step < 200; ++step) {
      std::vector<float> logits = random_logits(p.size(), step);
      ASSERT_TRUE(softmax(scalar(), logits, 1.0f, p));
      stream.fill(draws);
      std::size_t best = 0;
      for (std::size_t i = 1; i < p.size(); ++i) {
        if (p[i] / draws[i] > p[best] / draws[best]) best = i;
      }
      ASSERT_EQ(must_sample(sampler, logits), best) << random_stream_name(rng) << step;
    }
  }
}

TEST(Sampler, PaddingTakesPartInTheSumButIsNeverChosen) {
  std::vector<float> logits(200, 0.0f);
  for (std::size_t i = 150; i < 200; ++i) logits[i] = 20.0f;
  for (float temperature : {0.0f, 0.5f, 1.0f}) {
    for (std::int32_t k : {0, 1, 3, 50}) {
      Sampler sampler(params_with(temperature, k, 11));
      SamplerScratch scratch;
      for (int i = 0; i < 50; ++i) {
        Result<std::int32_t> id = sampler.sample(logits, 150, scratch);
        ASSERT_TRUE(id) << id.assume_error().message;
        ASSERT_LT(id.assume_value(), 150);
      }
    }
  }
}

TEST(Sampler, TemperatureDividesTheLogits) {
  std::vector<float> logits = random_logits(500, 5);
  std::vector<float> halved;
  for (float logit : logits) halved.push_back(logit / 2.0f);
  Sampler hot(params_with(2.0f, 50, 1));
  Sampler plain(params_with(1.0f, 50, 1));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(must_sample(hot, logits), must_sample(plain, halved));
}

TEST(Sampler, TemperatureZeroTakesTheLargestAndTheLowestIdOnATie) {
  Sampler sampler(params_with(0.0f, 50, 1));
  EXPECT_EQ(must_sample(sampler, {1.0f, 3.0f, -2.0f, 3.0f}), 1);
  EXPECT_EQ(must_sample(sampler, {-kInfinity, -5.0f}), 1);
}

TEST(Sampler, SamplersWithOneSeedAgreeWhateverTheirNeighboursDo) {
  Sampler alone(params_with(1.0f, 50, 9));
  Sampler beside(params_with(1.0f, 50, 9));
  Sampler neighbour(params_with(1.0f, 50, 10));
  for (std::uint32_t i = 0; i < 50; ++i) {
    std::vector<float> logits = random_logits(300, i);
    std::int32_t id = must_sample(alone, logits);
    must_sample(neighbour, logits);
    EXPECT_EQ(must_sample(beside, logits), id);
  }
}

TEST(Sampler, NamesTheIdOfALogitThatLeavesNoDistribution) {
  std::vector<float> logits(100, 0.0f);
  logits[70] = kNan;
  for (float temperature : {0.0f, 1.0f}) {
    EXPECT_EQ(error_of(params_with(temperature, 5, 0), logits, 100),
              "logits: no distribution to sample from, the logit of id 70 is nan");
  }
  logits[70] = kInfinity;
  EXPECT_EQ(error_of(params_with(1.0f, 5, 0), logits, 100),
            "logits: no distribution to sample from, the logit of id 70 is inf");
}

TEST(Sampler, RefusesLogitsThatMakeEveryUsableTokenImpossible) {
  std::vector<float> logits(100, -kInfinity);
  logits[99] = 0.0f;
  EXPECT_EQ(error_of(params_with(1.0f, 5, 0), logits, 99),
            "logits: no distribution to sample from, the probabilities of all 99 usable ids are 0");
}

TEST(Sampler, AnErrorConsumesNoRandomNumbers) {
  SamplerScratch scratch;
  std::vector<float> logits = random_logits(100, 1);
  Sampler sampler(params_with(1.0f, 50, 3));
  Sampler untouched(params_with(1.0f, 50, 3));
  EXPECT_FALSE(sampler.sample(std::vector<float>(100, kNan), 100, scratch));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(must_sample(sampler, logits), must_sample(untouched, logits));
  }
}

TEST(Sampler, RefusesTheCudaStreamForMoreThan256Candidates) {
  std::vector<float> logits(1000, 0.0f);
  SamplingParams params = params_with(1.0f, 257, 0, RandomStream::kTorchCuda);
  EXPECT_EQ(error_of(params, logits, 1000),
            "top_k: 257 candidates, but the torch-cuda stream is defined for at most 256");
  params.top_k = 0;
  EXPECT_EQ(error_of(params, logits, 1000),
            "top_k: 1000 candidates, but the torch-cuda stream is defined for at most 256");
  params.top_k = 256;
  EXPECT_EQ(error_of(params, logits, 1000), "no error");
}

TEST(Sampler, RefusesParametersOutOfRange) {
  std::vector<float> logits(10, 0.0f);
  EXPECT_EQ(error_of(params_with(-1.0f, 5, 0), logits, 10),
            "temperature: -1 is not a finite number of at least 0");
  EXPECT_EQ(error_of(params_with(kNan, 5, 0), logits, 10),
            "temperature: nan is not a finite number of at least 0");
  EXPECT_EQ(error_of(params_with(1.0f, -5, 0), logits, 10),
            "top_k: -5 is not a whole number from 0 to 2147483647");
  EXPECT_EQ(error_of(params_with(1.0f, 5, 0), logits, 0),
            "logits: 0 usable ids of 10, expected at least 1 and at most all");
  EXPECT_EQ(error_of(params_with(1.0f, 5, 0), logits, 11),
            "logits: 11 usable ids of 10, expected at least 1 and at most all");
}

TEST(RandomStream, NamesGoThereAndBack) {
  for (RandomStream stream :
       {RandomStream::kTorchCpu, RandomStream::kTorchCpuMkl, RandomStream::kTorchCuda}) {
    EXPECT_EQ(parse_random_stream(random_stream_name(stream)).assume_value(), stream);
  }
  Result<RandomStream> wrong = parse_random_stream("torch");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.assume_error().message,
            "rng: \"torch\" is not one of torch-cpu, torch-cpu-mkl, torch-cuda");
}

}  // namespace
}  // namespace chorus::sampling

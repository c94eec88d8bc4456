#include "sampling/softmax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/exp.h"
#include "sampling/fixture.h"

namespace chorus::sampling {
namespace {

TEST(Softmax, AgreesWithDoublePrecisionAtEverySize) {
  for (std::size_t count : {1u, 2u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u, 1001u, 50257u, 50304u}) {
    std::vector<float> logits =
        random_logits(count, static_cast<std::uint32_t>(count), -3.0f, 4.0f);
    std::vector<float> probabilities(count);
    for (float temperature : {1.0f, 0.7f, 3.0f}) {
      ASSERT_TRUE(softmax(scalar(), logits, temperature, probabilities));
      double sum = 0.0;
      for (float logit : logits) sum += std::exp(static_cast<double>(logit) / temperature);
      for (std::size_t i = 0; i < count; ++i) {
        double truth = std::exp(static_cast<double>(logits[i]) / temperature) / sum;
        ASSERT_NEAR(probabilities[i], truth, truth * 2e-5 + 1e-30) << count << " " << i;
      }
    }
  }
}

// The sum's order is part of the promise: rounding shows it.
TEST(Softmax, SumsInEightLanesAndMultipliesByTheReciprocal) {
  for (std::size_t count : {8u, 21u, 1003u}) {
    std::vector<float> logits = random_logits(count, 99, -3.0f, 4.0f);
    std::vector<float> probabilities(count);
    ASSERT_TRUE(softmax(scalar(), logits, 1.0f, probabilities));
    float maximum = *std::max_element(logits.begin(), logits.end());
    std::vector<float> lanes(8, 0.0f);
    for (std::size_t i = 0; i < count; ++i) lanes[i % 8] += kernels::exp_f32(logits[i] - maximum);
    float sum = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
                ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(probabilities[i], kernels::exp_f32(logits[i] - maximum) * (1.0f / sum)) << count;
    }
  }
}

TEST(Softmax, AnImpossibleTokenHasProbabilityZero) {
  std::vector<float> probabilities(3);
  ASSERT_TRUE(softmax(scalar(), std::vector<float>{1.0f, -kInfinity, 1.0f}, 1.0f, probabilities));
  EXPECT_EQ(probabilities, (std::vector<float>{0.5f, 0.0f, 0.5f}));
}

TEST(LargestLogit, FindsItAnywhere) {
  for (std::size_t count : {1u, 5u, 16u, 40u}) {
    for (std::size_t where = 0; where < count; ++where) {
      std::vector<float> logits(count, -8.0f);
      logits[where] = -2.0f;
      EXPECT_EQ(largest_logit(logits).assume_value(), -2.0f);
    }
  }
}

TEST(LargestLogit, NamesTheIdThatLeavesNoDistribution) {
  for (float wrong : {kNan, kInfinity}) {
    for (std::size_t where : {0u, 3u, 16u, 39u}) {
      std::vector<float> logits(40, 1.0f);
      logits[where] = wrong;
      Result<float> result = largest_logit(logits);
      ASSERT_FALSE(result);
      EXPECT_EQ(result.assume_error().message,
                "logits: no distribution to sample from, the logit of id " + std::to_string(where) +
                    " is " + (std::isnan(wrong) ? "nan" : "inf"));
    }
  }
}

TEST(LargestLogit, RefusesNothingButImpossibleTokens) {
  Result<float> result = largest_logit(std::vector<float>(20, -kInfinity));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.assume_error().message,
            "logits: no distribution to sample from, all 20 are -inf");
}

TEST(Softmax, RefusesWhatMakesNoDistributionOnEveryInstructionSet) {
  for (kernels::Isa isa : {kernels::Isa::kScalar, kernels::Isa::kAvx2, kernels::Isa::kAvx512}) {
    if (!kernels::is_supported(isa)) continue;
    const kernels::Kernels& table = kernels::kernels_for(isa);
    std::vector<float> probabilities(70);
    for (float temperature : {1.0f, 0.5f}) {
      for (float wrong : {kNan, -kNan, kInfinity}) {
        for (std::size_t where : {0u, 17u, 31u, 64u, 69u}) {
          std::vector<float> logits = random_logits(70, 1, -3.0f, 4.0f);
          logits[where] = wrong;
          Result<void> result = softmax(table, logits, temperature, probabilities);
          ASSERT_FALSE(result) << kernels::isa_name(isa) << " " << where;
          EXPECT_THAT(result.assume_error().message,
                      testing::HasSubstr("the logit of id " + std::to_string(where) + " is"));
        }
      }
      std::vector<float> impossible(70, -kInfinity);
      EXPECT_FALSE(softmax(table, impossible, temperature, probabilities));
    }
    EXPECT_FALSE(softmax(table, {}, 1.0f, {}));
  }
}

TEST(Softmax, RefusesATemperatureThatOverflows) {
  std::vector<float> probabilities(2);
  Result<void> result = softmax(scalar(), std::vector<float>{1.0f, 2.0f}, 1e-45f, probabilities);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.assume_error().message,
              testing::StartsWith("temperature: the largest logit, 2"));
}

}  // namespace
}  // namespace chorus::sampling

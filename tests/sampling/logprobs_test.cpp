#include "sampling/logprobs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "sampling/fixture.h"

namespace chorus::sampling {
namespace {

// In double, as the words say it.
double entropy_of(const std::vector<float>& logits) {
  double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0.0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  double entropy = 0.0;
  for (float logit : logits) {
    double p = std::exp(static_cast<double>(logit) - largest) / sum;
    if (p > 0.0) entropy -= p * std::log(p);
  }
  return entropy;
}

TEST(TokenInfo, RankAndEntropyAreGivenWhereTheyAreAskedFor) {
  std::vector<float> logits = random_logits(5000, 1);
  TokenInfo without = token_info(scalar(), logits, 5000, 17, {3, false});
  EXPECT_FALSE(without.rank);
  EXPECT_FALSE(without.entropy);
  TokenInfo with = token_info(scalar(), logits, 5000, 17, {3, true});
  EXPECT_EQ(with.logprob, without.logprob);
  ASSERT_TRUE(with.rank && with.entropy);
  EXPECT_NEAR(*with.entropy, entropy_of(logits), 1e-5);
}

TEST(TokenInfo, TheRankIsThePlaceAmongTheLikeliest) {
  std::vector<float> logits = random_logits(200, 2);
  for (std::size_t i = 0; i < logits.size(); i += 3) logits[i] = std::round(logits[i]);  // ties
  TokenInfo all = token_info(scalar(), logits, 200, 0, {200, false});
  for (std::size_t i = 0; i < all.top.size(); ++i) {
    TokenInfo one = token_info(scalar(), logits, 200, all.top[i].id, {0, true});
    EXPECT_EQ(one.rank, static_cast<std::int32_t>(i + 1)) << all.top[i].id;
  }
}

// Of a vocabulary of 6 whose last two are padding.
TEST(TokenInfo, PaddingIsNotRankedButInTheEntropy) {
  std::vector<float> logits = {1.0f, 2.0f, 3.0f, 2.0f, 9.0f, 2.0f};
  EXPECT_EQ(token_info(scalar(), logits, 4, 2, {0, true}).rank, 1);
  EXPECT_EQ(token_info(scalar(), logits, 4, 3, {0, true}).rank, 3);
  EXPECT_EQ(token_info(scalar(), logits, 4, 4, {0, true}).rank, 1);
  EXPECT_EQ(token_info(scalar(), logits, 4, 5, {0, true}).rank, 4);
  EXPECT_NEAR(*token_info(scalar(), logits, 4, 0, {0, true}).entropy, entropy_of(logits), 1e-6);
}

TEST(TokenInfo, TheEntropyOfCertaintyAndOfEqualsIsExact) {
  std::vector<float> logits(1024, -kInfinity);
  logits[7] = 0.25f;
  EXPECT_EQ(token_info(scalar(), logits, 1024, 7, {0, true}).entropy, 0.0);
  std::fill(logits.begin(), logits.end(), -3.0f);
  EXPECT_NEAR(*token_info(scalar(), logits, 1024, 7, {0, true}).entropy, std::log(1024.0), 1e-12);
}

TEST(TokenInfo, EveryInstructionSetGivesTheSameBits) {
  for (kernels::Isa isa : {kernels::Isa::kAvx2, kernels::Isa::kAvx512}) {
    if (!kernels::is_supported(isa)) continue;
    for (std::size_t size : {1u, 15u, 1024u, 1025u, 50257u}) {
      std::vector<float> logits = random_logits(size, 3, 0.0f, 40.0f);
      auto usable = static_cast<std::int32_t>(size);
      TokenInfo one = token_info(scalar(), logits, usable, usable / 2, {5, true});
      TokenInfo other = token_info(kernels_for(isa), logits, usable, usable / 2, {5, true});
      EXPECT_EQ(one.rank, other.rank) << size;
      EXPECT_EQ(one.entropy, other.entropy) << size;
      EXPECT_EQ(one.logprob, other.logprob) << size;
    }
  }
}

}  // namespace
}  // namespace chorus::sampling

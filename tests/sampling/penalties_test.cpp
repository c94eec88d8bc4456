#include "sampling/penalties.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace chorus::sampling {
namespace {

TEST(AdjustLogits, PenaltiesAndBiasActOnTheTokensTheyName) {
  std::vector<std::int32_t> tokens = {0, 1, 1, 2};  // the first is the prompt
  SamplingParams params{.repetition_penalty = 2.0f,
                        .presence_penalty = 0.5f,
                        .frequency_penalty = 0.25f,
                        .logit_bias = {{4, 3.0f}, {99, 1.0f}}};
  std::vector<float> logits = {4.0f, 4.0f, -4.0f, 4.0f, 4.0f, 4.0f};
  std::vector<std::int32_t> banned = {5, 77};
  adjust_logits(params, {tokens, 1}, banned, logits);
  EXPECT_EQ(logits[0], 2.0f);  // seen in the prompt: repetition alone
  EXPECT_EQ(logits[1], 2.0f - 0.5f - 2 * 0.25f);
  EXPECT_EQ(logits[2], -8.0f - 0.5f - 0.25f);
  EXPECT_EQ(logits[3], 4.0f);
  EXPECT_EQ(logits[4], 7.0f);
  EXPECT_EQ(logits[5], -INFINITY);
}

TEST(AdjustLogits, NothingAskedChangesNothing) {
  EXPECT_FALSE(adjusts_logits({}));
  std::vector<float> logits = {1.0f, -2.0f};
  std::vector<std::int32_t> tokens = {0, 1};
  adjust_logits({}, {tokens, 1}, {}, logits);
  EXPECT_EQ(logits, (std::vector<float>{1.0f, -2.0f}));
}

std::vector<float> filtered(SamplingParams params, std::vector<float> probabilities) {
  filter_probabilities(params, probabilities);
  return probabilities;
}

TEST(FilterProbabilities, TopPKeepsTheFewestThatReachIt) {
  std::vector<float> p = {0.25f, 0.5f, 0.125f, 0.125f};
  EXPECT_EQ(filtered({.top_p = 1.0}, p), p);
  EXPECT_EQ(filtered({.top_p = 0.5}, p), (std::vector<float>{0, 0.5f, 0, 0}));
  EXPECT_EQ(filtered({.top_p = 0.6}, p), (std::vector<float>{0.25f, 0.5f, 0, 0}));
  EXPECT_EQ(filtered({.top_p = 0.8}, p), (std::vector<float>{0.25f, 0.5f, 0.125f, 0}));
  EXPECT_EQ(filtered({.top_p = 0.0}, p), (std::vector<float>{0, 0.5f, 0, 0}));
}

// Over a vocabulary most ids are left unsorted: the outcome must be that of sorting them all.
TEST(FilterProbabilities, TopPOfAVocabularyIsThatOfSortingItAll) {
  std::mt19937 random(3);
  for (float width : {0.1f, 1.0f, 4.0f}) {
    for (double top_p : {0.01, 0.5, 0.95, 0.9999, 0.9999999}) {
      std::normal_distribution<float> normal(0.0f, width);
      std::vector<float> p(20000);
      for (float& value : p) value = std::round(std::exp(normal(random)) * 64.0f);
      float sum = std::accumulate(p.begin(), p.end(), 0.0f);
      for (float& value : p) value /= sum;
      std::vector<std::size_t> order(p.size());
      std::iota(order.begin(), order.end(), 0u);
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
      std::vector<float> expected(p.size(), 0.0f);
      double total = 0.0;
      for (std::size_t id : order) {
        if (total >= top_p) break;
        expected[id] = p[id];
        total += static_cast<double>(p[id]);
      }
      EXPECT_EQ(filtered({.top_p = top_p}, p), expected) << width << " " << top_p;
    }
  }
}

TEST(FilterProbabilities, MinPIsAShareOfTheLikeliest) {
  std::vector<float> p = {0.25f, 0.5f, 0.125f, 0.125f};
  EXPECT_EQ(filtered({.min_p = 0.5f}, p), (std::vector<float>{0.25f, 0.5f, 0, 0}));
  EXPECT_EQ(filtered({.min_p = 1.0f}, p), (std::vector<float>{0, 0.5f, 0, 0}));
}

}  // namespace
}  // namespace chorus::sampling

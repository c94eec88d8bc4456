#include "sampling/top_k.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace chorus::sampling {

static bool operator==(const Candidate& a, const Candidate& b) {
  return a.probability == b.probability && a.id == b.id;
}

namespace {

bool more_probable(const Candidate& a, const Candidate& b) { return a.probability > b.probability; }

// torch.topk as it stands in PyTorch: the plain algorithms on all pairs.
std::vector<Candidate> torch_topk(const std::vector<float>& values, std::int32_t k) {
  std::vector<Candidate> pairs;
  for (float value : values) pairs.push_back({value, static_cast<std::int32_t>(pairs.size())});
  auto begin = pairs.begin();
  if (static_cast<std::size_t>(k) * 64 <= pairs.size()) {
    std::partial_sort(begin, begin + k, pairs.end(), more_probable);
  } else {
    std::nth_element(begin, begin + k - 1, pairs.end(), more_probable);
    std::sort(begin, begin + k - 1, more_probable);
  }
  pairs.resize(static_cast<std::size_t>(k));
  return pairs;
}

// Values of which many are equal: `levels` different ones.
std::vector<float> tied_values(std::size_t count, std::uint32_t levels, std::mt19937& random) {
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(random() % levels) / static_cast<float>(levels);
  }
  return values;
}

std::int32_t size_of(const std::vector<float>& values) {
  return static_cast<std::int32_t>(values.size());
}

TEST(TopK, TiesComeOutInTheOrderOfPyTorchsAlgorithms) {
  std::mt19937 random(1);
  std::vector<Candidate> candidates;
  for (int round = 0; round < 300; ++round) {
    std::size_t count = 1 + random() % 4000;
    auto levels = static_cast<std::uint32_t>(1 + random() % (round % 3 == 0 ? 5 : 2000));
    std::vector<float> values = tied_values(count, levels, random);
    std::int32_t largest_k = std::min<std::int32_t>(size_of(values), round % 2 == 0 ? 60 : 4000);
    auto k = static_cast<std::int32_t>(1 + random() % static_cast<std::uint64_t>(largest_k));
    top_k(kernels::kernels_for(kernels::Isa::kScalar), values, size_of(values), k, candidates);
    ASSERT_EQ(candidates, torch_topk(values, k)) << count << " values, k " << k;
  }
}

TEST(TopK, BothAlgorithmsMeetWherePyTorchChangesOver) {
  std::mt19937 random(2);
  std::vector<Candidate> candidates;
  for (std::size_t count : {3199u, 3200u, 3201u}) {
    std::vector<float> values = tied_values(count, 40, random);
    top_k(kernels::kernels_for(kernels::Isa::kScalar), values, size_of(values), 50, candidates);
    EXPECT_EQ(candidates, torch_topk(values, 50)) << count;
  }
}

TEST(TopK, AscendingAndDescendingAndConstantValuesAreNoSpecialCase) {
  std::vector<float> ascending(5000);
  for (std::size_t i = 0; i < ascending.size(); ++i) ascending[i] = static_cast<float>(i);
  std::vector<float> descending(ascending.rbegin(), ascending.rend());
  std::vector<float> constant(5000, 0.25f);
  std::vector<Candidate> candidates;
  for (const auto& values : {ascending, descending, constant}) {
    for (std::int32_t k : {1, 2, 50, 78, 79, 4999, 5000}) {
      top_k(kernels::kernels_for(kernels::Isa::kScalar), values, 5000, k, candidates);
      EXPECT_EQ(candidates, torch_topk(values, k)) << k;
    }
  }
}

TEST(TopK, PaddingIsNeverACandidateHoweverProbable) {
  std::vector<float> values(1000, 0.001f);
  for (std::size_t i = 900; i < 1000; ++i) values[i] = 1.0f;
  std::vector<Candidate> candidates;
  for (std::int32_t k : {1, 15, 16, 500, 900}) {
    top_k(kernels::kernels_for(kernels::Isa::kScalar), values, 900, k, candidates);
    ASSERT_EQ(candidates.size(), static_cast<std::size_t>(k));
    std::vector<bool> seen(900, false);
    for (const Candidate& candidate : candidates) {
      ASSERT_LT(candidate.id, 900);
      EXPECT_FALSE(seen[static_cast<std::size_t>(candidate.id)]);
      seen[static_cast<std::size_t>(candidate.id)] = true;
    }
  }
}

TEST(TopK, PaddingThatPyTorchLeavesOutDoesNotChangeTheOrderOfTies) {
  std::mt19937 random(3);
  std::vector<Candidate> candidates;
  for (std::int32_t k : {5, 50, 51, 300}) {
    std::vector<float> values = tied_values(3300, 11, random);
    for (std::size_t i = 3250; i < 3300; ++i) values[i] = 0.0f;
    top_k(kernels::kernels_for(kernels::Isa::kScalar), values, 3250, k, candidates);
    EXPECT_EQ(candidates, torch_topk(values, k)) << k;
  }
}

}  // namespace
}  // namespace chorus::sampling

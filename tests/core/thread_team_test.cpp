#include "core/thread_team.h"

#include <gtest/gtest.h>

#include <numeric>

namespace chorus {
namespace {

class ThreadTeamTest : public testing::TestWithParam<std::size_t> {};

TEST_P(ThreadTeamTest, EveryMemberSeesWhatAllWroteBeforeTheBarrier) {
  ThreadTeam team(GetParam());
  constexpr std::size_t kCount = 1000;
  for (int step = 0; step < 200; ++step) {
    std::vector<std::size_t> values(kCount), sums(team.size());
    team.run([&](ThreadTeam::Member& member) {
      Range range = member.share(kCount);
      for (std::size_t i = range.begin; i < range.end; ++i) values[i] = i;
      member.barrier();
      sums[member.index()] = std::accumulate(values.begin(), values.end(), std::size_t{0});
    });
    for (std::size_t sum : sums) ASSERT_EQ(sum, kCount * (kCount - 1) / 2);
  }
}

TEST_P(ThreadTeamTest, SharesCoverEverythingOnce) {
  ThreadTeam team(GetParam());
  for (std::size_t n : {0u, 1u, 2u, 7u, 100u}) {
    std::vector<int> touched(n);
    team.run([&](ThreadTeam::Member& member) {
      Range range = member.share(n);
      for (std::size_t i = range.begin; i < range.end; ++i) ++touched[i];
    });
    for (int count : touched) EXPECT_EQ(count, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadTeamTest, testing::Values(1, 2, 3, 8));

TEST(AvailableProcessors, IsAtLeastOneAndAtMostTheMachines) {
  EXPECT_GE(available_processors(), 1u);
  EXPECT_LE(available_processors(), std::thread::hardware_concurrency());
}

}  // namespace
}  // namespace chorus

#include "core/thread_team.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <functional>

#include "core/work_stealing.h"

namespace chorus {
namespace {

class ThreadTeamTest : public testing::TestWithParam<std::size_t> {};

TEST_P(ThreadTeamTest, RunReturnsWhenEveryMemberHasEndedAndSeesWhatAllWrote) {
  ThreadTeam team(GetParam());
  for (int step = 0; step < 200; ++step) {
    std::vector<std::size_t> values(team.size());
    team.run([&](ThreadTeam::Member& member) { values[member.index()] = member.index() + 1; });
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], i + 1);
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

// Each member's mask, as it sees it itself.
std::vector<std::vector<int>> masks(ThreadTeam& team) {
  std::vector<std::vector<int>> masks(team.size());
  team.run([&](ThreadTeam::Member& member) { masks[member.index()] = processors_in_mask(); });
  return masks;
}

TEST(ThreadTeamPinning, GivesEachMemberAProcessorOfTheMask) {
  std::vector<int> all = processors_in_mask();
  std::thread([&all] {  // pins itself, so it is not the test's own
    ThreadTeam team(all.size(), /*pin=*/true);
    team.pin_calling_thread();
    std::vector<std::vector<int>> found = masks(team);
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i], std::vector<int>{all[i]}) << "member " << i;
    }
  })
      .join();
}

TEST(ThreadTeamPinning, LeavesTheCallerAloneUnlessAsked) {
  std::vector<int> before = processors_in_mask();
  ThreadTeam team(before.size(), /*pin=*/true);
  masks(team);
  EXPECT_EQ(processors_in_mask(), before);
}

TEST(ThreadTeamPinning, IsOffForATeamLargerThanTheMaskAndByDefault) {
  std::vector<int> all = processors_in_mask();
  ThreadTeam larger(all.size() + 1, /*pin=*/true), unpinned(all.size());
  for (ThreadTeam* team : {&larger, &unpinned}) {
    team->pin_calling_thread();
    for (const std::vector<int>& mask : masks(*team)) EXPECT_EQ(mask, all);
  }
}

double cpu_seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

TEST(ThreadTeamWaiting, AnIdleTeamUsesNoProcessor) {
  ThreadTeam team(std::min<std::size_t>(4, available_processors()));
  team.run([](ThreadTeam::Member&) {});
  // It spins a while first, which takes longer where others want the processor.
  double quietest = 1;
  for (int i = 0; i < 50 && quietest >= 0.02; ++i) {
    double before = cpu_seconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    quietest = std::min(quietest, cpu_seconds() - before);
  }
  EXPECT_LT(quietest, 0.02);
}

// The least processor time that `work` took of some tries: a sanitizer's or a virtual machine's own may be added
// to any of them.
double least_cpu_seconds(const std::function<void()>& work) {
  double least = 1;
  for (int i = 0; i < 20 && least >= 0.1; ++i) {
    double before = cpu_seconds();
    work();
    least = std::min(least, cpu_seconds() - before);
  }
  return least;
}

// One member is late by far longer than the others spin.
TEST(ThreadTeamWaiting, TheOthersSleepForALateMember) {
  ThreadTeam team(std::min<std::size_t>(2, available_processors()));
  for (bool caller_is_late : {true, false}) {
    double seconds = least_cpu_seconds([&] {
      team.run([&](ThreadTeam::Member& member) {
        bool late = (member.index() == 0) == caller_is_late;
        if (late) std::this_thread::sleep_for(std::chrono::milliseconds(300));
      });
    });
    EXPECT_LT(seconds, 0.1);
  }
}

// A member that has nothing to do in a phase waits for its end.
TEST(ThreadTeamWaiting, AMemberSleepsForALatePhase) {
  ThreadTeam team(std::min<std::size_t>(2, available_processors()));
  Phase phase{1, 1, [](Range, std::size_t) {
                std::this_thread::sleep_for(std::chrono::milliseconds(300));
              }};
  EXPECT_LT(least_cpu_seconds([&] { run_phases(team, {&phase, 1}); }), 0.1);
}

}  // namespace
}  // namespace chorus

#include "core/work_stealing.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace chorus {
namespace {

TEST(WorkStealing, EveryItemOfEveryPhaseIsDoneOnceAndInOrder) {
  constexpr std::size_t kPhases = 40;
  for (std::size_t members : {1u, 2u, 3u, 5u}) {
    ThreadTeam team(members);
    for (std::size_t piece : {1u, 3u, 4u, 100u}) {
      std::vector<std::vector<std::atomic<int>>> done;
      for (std::size_t i = 0; i < kPhases; ++i) done.emplace_back(i);
      std::vector<Phase> phases;
      for (std::size_t i = 0; i < kPhases; ++i) {
        phases.push_back({i, piece, [&, i](Range range, std::size_t member) {
                            EXPECT_LT(member, members);
                            EXPECT_LE(range.end - range.begin, piece);
                            for (std::size_t k = range.begin; k < range.end; ++k) ++done[i][k];
                            if (i == 0) return;
                            for (std::atomic<int>& times : done[i - 1]) EXPECT_EQ(times, 1);
                          }});
      }
      run_phases(team, phases);
      for (const std::vector<std::atomic<int>>& items : done) {
        for (const std::atomic<int>& times : items) EXPECT_EQ(times, 1);
      }
    }
  }
}

TEST(WorkStealing, TheCallerDoesWhatComesFirstAloneAndOnce) {
  for (std::size_t members : {1u, 3u}) {
    ThreadTeam team(members);
    std::atomic<int> first = 0, done = 0;
    Phase phase{100, 1, [&](Range range, std::size_t) {
                  done += static_cast<int>(range.end - range.begin);
                }};
    std::thread::id caller = std::this_thread::get_id();
    run_phases(team, {&phase, 1}, [&] {
      EXPECT_EQ(std::this_thread::get_id(), caller);
      ++first;
    });
    EXPECT_EQ(first, 1);
    EXPECT_EQ(done, 100);
  }
}

// Else whoever is woken by it would take the processor while all others wait.
TEST(WorkStealing, TheOthersComputeWhileTheCallerDoesWhatComesFirst) {
  ThreadTeam team(2);
  std::atomic<int> done = 0;
  Phase phase{4, 1, [&](Range range, std::size_t) {
                done += static_cast<int>(range.end - range.begin);
                done.notify_all();
              }};
  run_phases(team, {&phase, 1}, [&] {
    for (int now = done; now < 4; now = done) done.wait(now);
  });
  EXPECT_EQ(done, 4);
}

TEST(WorkStealing, APhaseSeesWhatTheOneBeforeWrote) {
  constexpr std::size_t kCount = 1000;
  for (std::size_t members : {1u, 2u, 3u, 8u}) {
    ThreadTeam team(members);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::size_t> values(kCount), sums(4);
      std::vector<Phase> phases = {{kCount, 7,
                                    [&](Range range, std::size_t) {
                                      for (std::size_t i = range.begin; i < range.end; ++i)
                                        values[i] = i;
                                    }},
                                   {sums.size(), 1, [&](Range range, std::size_t) {
                                      sums[range.begin] = std::accumulate(
                                          values.begin(), values.end(), std::size_t{0});
                                    }}};
      run_phases(team, phases);
      for (std::size_t sum : sums) ASSERT_EQ(sum, kCount * (kCount - 1) / 2);
    }
  }
}

TEST(WorkStealing, NoPhasesAndPhasesWithoutItemsAreDoneAtOnce) {
  ThreadTeam team(3);
  run_phases(team, {});
  std::vector<Phase> phases(5, {0, 1, [](Range, std::size_t) { ADD_FAILURE(); }});
  run_phases(team, phases);
}

TEST(WorkStealing, OthersStealWhatAMemberThatIsHeldUpHasLeft) {
  constexpr std::size_t kItems = 64, kPiece = 4;
  ThreadTeam team(2);
  std::atomic<std::size_t> done = 0;
  std::atomic<bool> held_up = false;
  auto wait_for = [](auto condition) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_TRUE(condition());
  };
  Phase phase{kItems, kPiece, [&](Range range, std::size_t member) {
                if (member == 0) {
                  wait_for([&] { return held_up.load(); });
                } else {
                  held_up = true;
                  wait_for([&] { return done == kItems - kPiece; });
                }
                done += range.end - range.begin;
              }};
  run_phases(team, {&phase, 1});
  EXPECT_EQ(done, kItems);
}

#ifndef NDEBUG
TEST(WorkStealingDeathTest, APieceOfNothingIsAProgrammersError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ThreadTeam team(1);
  Phase phase{4, 0, [](Range, std::size_t) {}};
  EXPECT_DEATH(run_phases(team, {&phase, 1}), "piece > 0");
}
#endif

}  // namespace
}  // namespace chorus

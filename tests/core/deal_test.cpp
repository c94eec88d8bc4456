#include "core/deal.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace chorus {
namespace {

TEST(Deal, EveryItemOfEveryPhaseIsDealtOnce) {
  constexpr std::size_t kPhases = 40;
  for (std::size_t members : {1u, 2u, 3u, 5u}) {
    ThreadTeam team(members);
    for (std::size_t piece : {1u, 3u, 4u, 100u}) {
      Deal deal(members, kPhases);
      std::vector<std::vector<std::atomic<int>>> dealt;
      for (std::size_t phase = 0; phase < kPhases; ++phase) dealt.emplace_back(phase);
      team.run([&](ThreadTeam::Member& member) {
        Deal::Hand hand(deal, member);
        for (std::vector<std::atomic<int>>& items : dealt) {
          hand.deal(items.size(), piece, [&](Range range) {
            EXPECT_LE(range.end - range.begin, piece);
            for (std::size_t i = range.begin; i < range.end; ++i) ++items[i];
          });
        }
      });
      for (const std::vector<std::atomic<int>>& items : dealt) {
        for (const std::atomic<int>& times : items) EXPECT_EQ(times, 1);
      }
    }
  }
}

TEST(Deal, OthersTakeWhatAMemberThatIsHeldUpHasLeft) {
  constexpr std::size_t kItems = 64, kPiece = 4;
  ThreadTeam team(2);
  Deal deal(2, 1);
  std::atomic<std::size_t> done = 0;
  std::atomic<bool> held_up = false;
  auto wait_for = [](auto condition) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_TRUE(condition());
  };
  team.run([&](ThreadTeam::Member& member) {
    Deal::Hand hand(deal, member);
    hand.deal(kItems, kPiece, [&](Range range) {
      if (hand.index() == 0) {
        wait_for([&] { return held_up.load(); });
      } else {
        held_up = true;
        wait_for([&] { return done == kItems - kPiece; });
      }
      done += range.end - range.begin;
    });
  });
  EXPECT_EQ(done, kItems);
}

}  // namespace
}  // namespace chorus

#include "core/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <set>
#include <thread>

namespace chorus {
namespace {

TEST(AvailableProcessors, IsAtLeastOneAndAtMostTheMachines) {
  EXPECT_GE(available_processors(), 1u);
  EXPECT_LE(available_processors(), std::thread::hardware_concurrency());
}

TEST(ProcessorsInMask, AreTheMasksEachOnce) {
  cpu_set_t mask;
  ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
  std::vector<int> processors = processors_in_mask();
  EXPECT_EQ(processors.size(), static_cast<std::size_t>(CPU_COUNT(&mask)));
  EXPECT_EQ(std::set<int>(processors.begin(), processors.end()).size(), processors.size());
  for (int processor : processors) {
    EXPECT_TRUE(CPU_ISSET(static_cast<std::size_t>(processor), &mask)) << processor;
  }
}

TEST(AvailableProcessors, FollowTheCallingThreadsMask) {
  int last = processors_in_mask().back();
  std::thread([last] {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(static_cast<std::size_t>(last), &mask);
    ASSERT_EQ(sched_setaffinity(0, sizeof(mask), &mask), 0);
    EXPECT_EQ(processors_in_mask(), std::vector<int>{last});
    EXPECT_EQ(available_processors(), 1u);
  }).join();
}

}  // namespace
}  // namespace chorus

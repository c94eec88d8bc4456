// The worker thread, and that it gives way to those that compute.

#include "server/offload.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>

#include "server/fixture.h"

namespace chorus::server {
namespace {

// Of the calling thread.
int nice_value() { return ::getpriority(PRIO_PROCESS, 0); }

int nicer() { return std::min(nice_value() + 10, 19); }

TEST(Offload, AThreadGivesWayOnceAndNobodyElseDoes) {
  int before = nice_value(), expected = nicer(), found = 0;
  std::thread([&found] {
    let_others_go_first();
    let_others_go_first();
    found = nice_value();
  }).join();
  EXPECT_EQ(found, expected);
  EXPECT_EQ(nice_value(), before);
}

class LongRequests : public ServerTest {};

TEST_F(LongRequests, AreReadByAThreadThatGivesWay) {
  start();
  auto count_nicer = [] {
    int count = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      int thread = std::stoi(task.path().filename().string());
      count += ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread)) == nicer() ? 1 : 0;
    }
    return count;
  };
  if (nice_value() == 19) GTEST_SKIP() << "these tests run at the lowest priority already";
  EXPECT_EQ(count_nicer(), 0);
  std::string body = R"({"content":")" + std::string(20'000, '-') + "\"}";
  EXPECT_EQ(post("/tokenize", body).status, 200);
  EXPECT_EQ(count_nicer(), 1);
}

}  // namespace
}  // namespace chorus::server

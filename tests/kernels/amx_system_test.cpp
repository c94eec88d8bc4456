// What the system promises of tiles, on machines with AMX: every thread of a process with the
// permission has them, and switches of threads, signals and forks leave their contents alone. There is
// nothing to test where tests/support/amx_emulator.h emulates them: its tiles are a thread's own
// variables.

#if defined(__x86_64__) && defined(__linux__)

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <latch>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/amx.h"
#include "kernels/vector/tiles.h"

namespace chorus::kernels {
namespace {

// Products with tiles and without, of every type that there is.
bool products_agree(int times) {
  for (int i = 0; i < times; ++i) {
    if (!amx_products_agree(amx().bf16)) return false;
  }
  return true;
}

class AmxSystem : public testing::Test {
 protected:
  void SetUp() override {
    if (!amx().int8) GTEST_SKIP() << "AMX is not here: " << amx().missing;
  }
};

TEST(AmxPermission, IsAlsoThatOfThreadsThatWereThereBefore) {
  std::latch asked(1);
  std::atomic<bool> agree = false;
  std::thread before([&] {
    asked.wait();
    agree = amx().int8 && products_agree(3);
  });
  bool is_there = amx().int8;  // the first question, where this test runs alone
  asked.count_down();
  before.join();
  if (!is_there) GTEST_SKIP() << "AMX is not here: " << amx().missing;
  EXPECT_TRUE(agree);
}

TEST_F(AmxSystem, MoreThreadsThanProcessorsKeepTheirTiles) {
  std::size_t count = 2 * std::thread::hardware_concurrency() + 1;
  std::atomic<std::size_t> agree = 0;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&] { agree += products_agree(50) ? 1u : 0u; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(agree, count);
}

TEST_F(AmxSystem, AChildProcessHasTiles) {
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(products_agree(3) ? 0 : 1);
  EXPECT_TRUE(products_agree(3));
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

constexpr std::size_t kTileBytes = kTileRows * kTileRowBytes;
constexpr auto kAllTiles = std::make_integer_sequence<int, 8>();

template <int... kTile>
void load_tiles(const std::uint8_t* from, std::integer_sequence<int, kTile...>) {
  TileConfig config;
  (config.set(kTile, kTileRows, kTileRowBytes), ...);
  config.load();
  (tile_load<kTile>(from + kTile * kTileBytes, kTileRowBytes), ...);
}
template <int... kTile>
void store_tiles(std::uint8_t* to, std::integer_sequence<int, kTile...>) {
  (tile_store<kTile>(to + kTile * kTileBytes, kTileRowBytes), ...);
}

std::atomic<int> handled_signals = 0;

// Fills all tiles with zeros, and leaves them so.
void overwrite_tiles(int) {
  static const std::uint8_t zeros[8 * kTileBytes] = {};
  load_tiles(zeros, kAllTiles);
  ++handled_signals;
}

TEST_F(AmxSystem, ASignalsHandlerMayUseTilesAmongThoseOfItsThread) {
  struct sigaction action = {}, before = {};
  action.sa_handler = overwrite_tiles;
  ASSERT_EQ(::sigaction(SIGALRM, &action, &before), 0);
  std::vector<std::uint8_t> data(8 * kTileBytes), kept(data.size());
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 37 >> 3);
  itimerval often{.it_interval = {0, 1000}, .it_value = {0, 1000}}, never{};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
  for (int round = 0; round < 10; ++round) {
    std::fill(kept.begin(), kept.end(), 0);
    load_tiles(data.data(), kAllTiles);
    for (int seen = handled_signals; handled_signals < seen + 2;) {
    }
    store_tiles(kept.data(), kAllTiles);
    EXPECT_EQ(kept, data);
  }
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  release_tiles();
}

}  // namespace
}  // namespace chorus::kernels

#endif

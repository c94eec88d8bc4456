// What measurements of the machine see of an engine.
#include "engine/internals.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "support/tiny_model.h"

namespace chorus {
namespace {

class EngineInternalsTest : public testing::Test {
 protected:
  static std::unique_ptr<Engine> engine(EngineOptions options, bool tied = true) {
    checkpoint::ModelConfig config = test::odd_config();
    config.tie_word_embeddings = tied;
    test::TinyModel model(config);
    options.pin_threads = false;
    auto loaded = Engine::load(model.checkpoint(), options);
    EXPECT_TRUE(loaded);
    return std::move(loaded.assume_value());
  }
};

TEST_F(EngineInternalsTest, WorkRunsOnEveryThreadOfAnIdleEngine) {
  auto idle = engine({.threads = 3});
  std::atomic<int> members{0};
  auto seconds = EngineInternals::run_when_idle(*idle, [&](ThreadTeam::Member&) { ++members; });
  ASSERT_TRUE(seconds);
  EXPECT_GE(*seconds, 0.0);
  EXPECT_EQ(members, 3);
}

TEST_F(EngineInternalsTest, NoWorkRunsBesideARequest) {
  auto busy = engine({.threads = 1});
  std::promise<void> begun, goes_on;
  std::shared_future<void> may_go_on = goes_on.get_future().share();
  std::atomic<bool> is_first{true}, has_ended{false};
  auto stream =
      busy->submit({.prompt = {1, 2}, .max_length = 32, .ignore_eos = true}, [&](Event event) {
        if (event.last) has_ended = true;
        if (!is_first.exchange(false)) return;
        begun.set_value();
        may_go_on.wait();
      });
  ASSERT_TRUE(stream);
  begun.get_future().wait();
  auto ran = std::async(std::launch::async, [&] {
    bool had_ended = false;
    bool has_run = EngineInternals::run_when_idle(*busy, [&](ThreadTeam::Member&) {
                     had_ended = has_ended;
                   }).has_value();
    return !has_run || had_ended;
  });
  std::this_thread::sleep_for(
      std::chrono::milliseconds(20));  // so that it mostly asks before the end
  goes_on.set_value();
  EXPECT_TRUE(ran.get());
}

TEST_F(EngineInternalsTest, AStepReadsEveryMatrixOnce) {
  const checkpoint::ModelConfig config = test::odd_config();
  std::uint64_t channels = static_cast<std::uint64_t>(config.n_embd);
  std::uint64_t inner = static_cast<std::uint64_t>(config.n_inner);
  std::uint64_t layers = static_cast<std::uint64_t>(config.n_layer);
  std::uint64_t products = layers * channels * (4 * channels + 2 * inner) +
                           channels * static_cast<std::uint64_t>(config.vocab_size);
  for (bool tied : {true, false}) {
    for (NumberFormat format : kWeightFormats) {
      auto loaded = engine({.dtype = format, .threads = 1}, tied);
      EXPECT_EQ(EngineInternals::step_products(*loaded), products);
      std::uint64_t bytes = 0;
      for (auto part : EngineInternals::step_weights(*loaded)) bytes += part.size();
      std::uint64_t least = products * block_bytes(format) / block_numbers(format);
      EXPECT_GE(bytes, least) << number_format_name(
          format);  // panels are padded, and there are scales
      EXPECT_LE(bytes, loaded->info().weight_bytes);
    }
  }
}

}  // namespace
}  // namespace chorus

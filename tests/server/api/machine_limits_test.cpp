// GET /v1/limits, and when the machine is measured for it.
#include "server/api/machine_limits.h"

#include <future>

#include "server/fixture.h"

namespace chorus::server {
namespace {

namespace json = boost::json;

class MachineLimitsRoute : public ServerTest {};

TEST_F(MachineLimitsRoute, TellsWhatAStepReadsAndComputesAndHowFastTheMachineIs) {
  start();
  json::value limits = parse(get("/v1/limits").body);
  EXPECT_EQ(limits.at("object"), "limits");
  EXPECT_EQ(limits.at("model"), "tiny");
  EXPECT_EQ(limits.at("threads"), 2);
  double bytes = limits.at("bytes_per_step").to_number<double>();
  double operations = limits.at("operations_per_token").to_number<double>();
  EXPECT_GT(bytes, 2.0 * operations) << "f32";
  EXPECT_GT(limits.at("bytes_per_second").to_number<double>(), 1e6);
  EXPECT_GT(limits.at("operations_per_second").to_number<double>(), 1e6);
  EXPECT_NEAR(limits.at("tokens_per_second_each").to_number<double>() * bytes /
                  limits.at("bytes_per_second").to_number<double>(),
              1.0, 1e-4);
  EXPECT_NEAR(limits.at("tokens_per_second").to_number<double>() * operations /
                  limits.at("operations_per_second").to_number<double>(),
              1.0, 1e-4);
  EXPECT_EQ(parse(get("/v1/limits?model=tiny").body), limits) << "measured once";
  EXPECT_EQ(get("/v1/limits?model=other").status, 404);
}

TEST_F(MachineLimitsRoute, UnknownIsNull) {
  json::value limits = parse(limits_json({.name = "one", .engine = word_engine()}, std::nullopt));
  for (const char* name : {"bytes_per_second", "operations_per_second", "tokens_per_second_each",
                           "tokens_per_second"}) {
    EXPECT_TRUE(limits.at(name).is_null()) << name;
  }
}

TEST_F(MachineLimitsRoute, NothingIsMeasuredBesideARequestOfAnyModel) {
  test::TinyModel model(word_config());
  std::vector<ServedModel> served;
  for (const char* name : {"idle", "busy"}) {
    auto engine = Engine::load(model.checkpoint(), {.threads = 1, .pin_threads = false});
    ASSERT_TRUE(engine);
    served.push_back({.name = name, .engine = std::move(engine.assume_value())});
  }
  served.push_back({.name = "loading"});
  Engine& busy = *served[1].engine;
  std::promise<void> begun, goes_on;
  bool is_first = true;
  auto stream = busy.submit({.prompt = {1}, .max_length = 8}, [&](Event) {
    if (!std::exchange(is_first, false)) return;
    begun.set_value();
    goes_on.get_future().wait();
  });
  ASSERT_TRUE(stream);
  begun.get_future().wait();
  MachineLimits limits;
  EXPECT_FALSE(limits.measure(served[0], served));
  EXPECT_FALSE(limits.measure(served[1], served));
  goes_on.set_value();
  while (busy.stats().running > 0) pause();
  auto known = limits.measure(served[0], served);
  ASSERT_TRUE(known);
  EXPECT_GT(known->reads, 0.0);
  EXPECT_EQ(limits.measure(served[0], served)->reads, known->reads);
}

}  // namespace
}  // namespace chorus::server

// Engine::load of models that are named as the command line names them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chorus/engine.h"
#include "hub/fixture.h"

namespace chorus::library {
namespace {

using test::HttpServer;
using test::ServerRequest;
using test::ServerResponse;
using testing::Contains;
using testing::HasSubstr;

// With an empty cache, and a server for names on which every file is "{}".
class LoadByName : public hub::HubTest {
 protected:
  void SetUp() override {
    HubTest::SetUp();
    ::setenv("HF_ENDPOINT", server_.url().c_str(), 1);
    ::setenv("CHORUS_CACHE", cache_.c_str(), 1);
  }

  HttpServer server_{[](const ServerRequest&) { return ServerResponse{.body = "{}"}; }};
};

TEST_F(LoadByName, ANameIsFetchedAndOpened) {
  std::vector<std::string> fetched;
  EngineOptions options{.threads = 1};
  options.fetch_progress = [&](const std::string& file, std::uint64_t, std::uint64_t) {
    fetched.push_back(file);
  };
  auto engine = Engine::load("hf:somebody/model", options);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(engine.error().message, HasSubstr(cached("somebody--model")));
  EXPECT_THAT(fetched, Contains("config.json"));
}

TEST_F(LoadByName, WhatIsNeitherAPathNorANameIsNamed) {
  auto engine = Engine::load("no/such.pt", {.threads = 1});
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(engine.error().message,
              HasSubstr("no/such.pt: no such file or folder, and not a known name (gpt2, "));
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(LoadByName, NoNameIsTheEmbeddedModel) {
  auto engine = Engine::load("", {.threads = 1});
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_EQ(engine.value()->info().parameters, 7759872);
  EXPECT_TRUE(server_.requests().empty());
}

}  // namespace
}  // namespace chorus::library

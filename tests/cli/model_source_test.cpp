#include "cli/model_source.h"

#include <gtest/gtest.h>

#include "hub/fixture.h"

namespace chorus::cli {
namespace {

using test::HttpServer;
using test::ServerRequest;
using test::ServerResponse;

// In a working folder of its own, with an empty cache and a server for names.
class ModelSource : public hub::HubTest {
 protected:
  void SetUp() override {
    HubTest::SetUp();
    before_ = std::filesystem::current_path();
    std::filesystem::create_directories(cache_ + "/here");
    std::filesystem::current_path(cache_ + "/here");
    ::setenv("HF_ENDPOINT", server_.url().c_str(), 1);
    ::setenv("CHORUS_CACHE", cache_.c_str(), 1);
  }
  void TearDown() override {
    std::filesystem::current_path(before_);
    HubTest::TearDown();
  }

  HttpServer server_{[](const ServerRequest&) { return ServerResponse{.body = "{}"}; }};
  std::filesystem::path before_;
};

TEST_F(ModelSource, NameIsFetched) {
  Result<std::string> path = locate_model("gpt2");
  ASSERT_TRUE(path) << path.assume_error().message;
  EXPECT_EQ(path.assume_value(), cached("openai-community--gpt2"));
}

TEST_F(ModelSource, ExistingPathWinsOverAName) {
  std::ofstream{"gpt2"};
  Result<std::string> path = locate_model("gpt2");
  ASSERT_TRUE(path);
  EXPECT_EQ(path.assume_value(), "gpt2");
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(ModelSource, PathThatIsMissingIsNotTakenForAName) {
  for (const char* missing : {"./gpt2", "gpt3", "models/gpt2", "model.pt"}) {
    Result<std::string> path = locate_model(missing);
    ASSERT_FALSE(path);
    EXPECT_EQ(path.assume_error().code, ErrorCode::kNotFound);
    EXPECT_EQ(path.assume_error().message,
              std::string(missing) +
                  ": no such file or folder, and not a known name (gpt2, gpt2-medium, gpt2-large, "
                  "gpt2-xl, distilgpt2, parallelopedia, hf:owner/name)");
  }
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(ModelSource, NoNameIsTheEmbeddedStoryteller) {
  Result<checkpoint::Checkpoint> opened = open_model("");
  ASSERT_TRUE(opened) << opened.assume_error().message;
  EXPECT_EQ(opened.assume_value().config.n_layer, 6);
  EXPECT_EQ(opened.assume_value().config.n_embd, 128);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(ModelSource, WhatWasFetchedIsOpenedAndItsFaultsAreNamed) {
  Result<checkpoint::Checkpoint> opened = open_model("gpt2");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.assume_error().code, ErrorCode::kUnsupported) << opened.assume_error().message;
  EXPECT_NE(opened.assume_error().message.find("openai-community--gpt2"), std::string::npos)
      << opened.assume_error().message;
}

}  // namespace
}  // namespace chorus::cli

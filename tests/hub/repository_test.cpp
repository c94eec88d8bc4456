// A model repository: its config, and its weights in one file or in shards.

#include "fixture.h"

namespace chorus::hub {
namespace {

using test::HttpServer;
using test::ServerRequest;
using test::ServerResponse;

// Serves `files` by path.
HttpServer::Handler serve_all(const std::map<std::string, std::string>& files) {
  return [&files](const ServerRequest& request) {
    auto file = files.find(request.path);
    if (file == files.end()) return ServerResponse{.status = 404};
    return serve_file(request, file->second, "\"v1\"");
  };
}

TEST_F(HubTest, RepositoryIsConfigAndWeights) {
  std::map<std::string, std::string> files = {
      {"/openai-community/gpt2/resolve/main/config.json", "{}"},
      {"/openai-community/gpt2/resolve/main/model.safetensors", "weights"}};
  HttpServer server(serve_all(files));
  Result<std::string> fetched = fetch("gpt2", options(server));
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  EXPECT_EQ(fetched.assume_value(), cached("openai-community--gpt2"));
  EXPECT_EQ(read_file(fetched.assume_value() + "/config.json"), "{}");
  EXPECT_EQ(read_file(fetched.assume_value() + "/model.safetensors"), "weights");
  std::size_t count = server.requests().size();
  ASSERT_TRUE(fetch("gpt2", options(server)));
  EXPECT_EQ(server.requests().size(), count);
}

TEST_F(HubTest, WhatSaysHowTextsAreWrittenComesWithTheWeights) {
  std::map<std::string, std::string> files = {
      {"/a/b/resolve/main/config.json", "{}"},
      {"/a/b/resolve/main/vocab.json", "vocabulary"},
      {"/a/b/resolve/main/merges.txt", "merges"},
      {"/a/b/resolve/main/tokenizer_config.json", "{\"x\": 1}"},
      {"/a/b/resolve/main/generation_config.json", "{\"y\": 1}"},
      {"/a/b/resolve/main/model.safetensors", "weights"},
      {"/c/d/resolve/main/config.json", "{}"},
      {"/c/d/resolve/main/tokenizer.json", "whole"},
      {"/c/d/resolve/main/vocab.json", "not needed"},
      {"/c/d/resolve/main/model.safetensors", "weights"}};
  HttpServer server(serve_all(files));
  ASSERT_TRUE(fetch("hf:a/b", options(server)));
  for (const char* name :
       {"vocab.json", "merges.txt", "tokenizer_config.json", "generation_config.json"}) {
    EXPECT_EQ(read_file(cached(std::string("a--b/") + name)),
              files[std::string("/a/b/resolve/main/") + name]);
  }
  EXPECT_FALSE(std::filesystem::exists(cached("a--b/tokenizer.json")));
  ASSERT_TRUE(fetch("hf:c/d", options(server)));
  EXPECT_EQ(read_file(cached("c--d/tokenizer.json")), "whole");
  EXPECT_FALSE(std::filesystem::exists(cached("c--d/vocab.json")));
}

TEST_F(HubTest, ShardedRepositoryIsFetchedByItsIndex) {
  std::map<std::string, std::string> files = {
      {"/a/b/resolve/v2/config.json", "{}"},
      {"/a/b/resolve/v2/model.safetensors.index.json",
       R"({"weight_map": {"x": "model-1-of-2.safetensors", "y": "model-2-of-2.safetensors",
           "z": "model-1-of-2.safetensors"}})"},
      {"/a/b/resolve/v2/model-1-of-2.safetensors", "first"},
      {"/a/b/resolve/v2/model-2-of-2.safetensors", "second"}};
  HttpServer server(serve_all(files));
  Result<std::string> fetched = fetch("hf:a/b@v2", options(server));
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  EXPECT_EQ(fetched.assume_value(), cached("a--b@v2"));
  EXPECT_EQ(read_file(cached("a--b@v2/model-1-of-2.safetensors")), "first");
  EXPECT_EQ(read_file(cached("a--b@v2/model-2-of-2.safetensors")), "second");
  std::size_t count = server.requests().size();
  ASSERT_TRUE(fetch("hf:a/b@v2", options(server)));
  EXPECT_EQ(server.requests().size(), count);

  std::filesystem::remove(cached("a--b@v2/model-2-of-2.safetensors"));
  ASSERT_TRUE(fetch("hf:a/b@v2", options(server)));
  EXPECT_EQ(read_file(cached("a--b@v2/model-2-of-2.safetensors")), "second");
}

TEST_F(HubTest, IndexThatLeadsOutOfTheFolderIsRefused) {
  for (const char* shard : {"../../evil.safetensors", "/tmp/evil.safetensors", "a/b.safetensors",
                            ".safetensors", "config.json", ""}) {
    std::map<std::string, std::string> files = {
        {"/a/b/resolve/main/config.json", "{}"},
        {"/a/b/resolve/main/model.safetensors.index.json",
         std::string(R"({"weight_map": {"wte": ")") + shard + "\"}}"}};
    HttpServer server(serve_all(files));
    Result<std::string> fetched = fetch("hf:a/b", options(server));
    ASSERT_FALSE(fetched) << shard;
    EXPECT_EQ(fetched.assume_error().code, ErrorCode::kCorrupt);
    EXPECT_NE(fetched.assume_error().message.find("tensor \"wte\""), std::string::npos)
        << fetched.assume_error().message;
  }
}

TEST_F(HubTest, IndexThatIsNoIndexIsRefused) {
  for (const char* index : {"", "[]", "{", R"({"weight_map": []})", R"({"weight_map": {}})",
                            R"({"weight_map": {"x": 1}})"}) {
    std::map<std::string, std::string> files = {
        {"/a/b/resolve/main/config.json", "{}"},
        {"/a/b/resolve/main/model.safetensors.index.json", index}};
    HttpServer server(serve_all(files));
    Result<std::string> fetched = fetch("hf:a/b", options(server));
    ASSERT_FALSE(fetched) << index;
    EXPECT_EQ(fetched.assume_error().code, ErrorCode::kCorrupt) << fetched.assume_error().message;
  }
}

TEST_F(HubTest, RepositoryWithoutSafetensorsSaysSo) {
  std::map<std::string, std::string> files = {{"/a/b/resolve/main/config.json", "{}"}};
  HttpServer server(serve_all(files));
  Result<std::string> fetched = fetch("hf:a/b", options(server));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kNotFound);
  EXPECT_NE(fetched.assume_error().message.find("no safetensors"), std::string::npos);
}

TEST_F(HubTest, EnvironmentGivesEndpointAndCache) {
  std::map<std::string, std::string> files = {{"/a/b/resolve/main/config.json", "{}"},
                                              {"/a/b/resolve/main/model.safetensors", "weights"}};
  HttpServer server(serve_all(files));
  ::setenv("HF_ENDPOINT", (server.url() + "/").c_str(), 1);
  ::setenv("XDG_CACHE_HOME", cache_.c_str(), 1);
  Result<std::string> fetched = fetch("hf:a/b");
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  EXPECT_EQ(fetched.assume_value(), cache_ + "/chorus/models/a--b");
  ::setenv("CHORUS_CACHE", (cache_ + "/own").c_str(), 1);
  fetched = fetch("hf:a/b");
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  EXPECT_EQ(fetched.assume_value(), cache_ + "/own/models/a--b");
}

TEST_F(HubTest, EndpointMustBeHttp) {
  Options options;
  options.cache_dir = cache_;
  for (const char* endpoint : {"file:///etc", "huggingface.co", "http://a b", "http://h/?x="}) {
    options.endpoint = endpoint;
    Result<std::string> fetched = fetch("gpt2", options);
    ASSERT_FALSE(fetched) << endpoint;
    EXPECT_EQ(fetched.assume_error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(fetched.assume_error().message.find("HF_ENDPOINT"), std::string::npos);
  }
}

}  // namespace
}  // namespace chorus::hub

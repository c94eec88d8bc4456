// What the hub's tests share: an empty cache, an environment without the user's settings, and a
// server that behaves well unless a test breaks it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "hub/hub.h"
#include "support/http_server.h"

namespace chorus::hub {

// printf 'some bytes' | sha256sum; printf 'blob 10\0some bytes' | sha1sum
inline constexpr const char* kBody = "some bytes";
inline constexpr const char* kBodySha256 =
    "\"0d22cdcc10e6d049dbe1af5123d50873fdfc1a4f58306e58cb6241be9472014d\"";
inline constexpr const char* kBodyGitSha1 = "\"9d9b78c856dff3427514c9f1f0ceb2eeff00b395\"";

// Bytes that differ everywhere, so that a piece in the wrong place shows.
inline std::string sample_bytes(std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; bytes.size() < size; ++i) bytes += std::to_string(i) + ",";
  bytes.resize(size);
  return bytes;
}

inline std::string read_file(const std::string& path) {
  std::ifstream input(path, std::ios::binary);
  std::ostringstream content;
  content << input.rdbuf();
  return content.str();
}

// As a good server answers: 206 with the rest if the etag fits, 416 past the end, else 200 with
// all.
inline test::ServerResponse serve_file(const test::ServerRequest& request, const std::string& body,
                                       const std::string& etag) {
  std::string range = request.header("range");
  std::string if_range = request.header("if-range");
  if (range.empty() || (!if_range.empty() && if_range != etag)) {
    return {.body = body, .headers = {"ETag: " + etag}};
  }
  std::size_t begin = std::stoul(range.substr(std::string("bytes=").size()));
  std::string size = std::to_string(body.size());
  if (begin >= body.size()) return {.status = 416, .headers = {"Content-Range: bytes */" + size}};
  std::string last = std::to_string(body.size() - 1);
  return {.status = 206,
          .body = body.substr(begin),
          .headers = {"ETag: " + etag,
                      "Content-Range: bytes " + std::to_string(begin) + "-" + last + "/" + size}};
}

class HubTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HF_TOKEN",
                             "HF_ENDPOINT", "CHORUS_CACHE", "XDG_CACHE_HOME"}) {
      ::unsetenv(name);
    }
    std::string pattern = testing::TempDir() + "chorus_hub_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    cache_ = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(cache_, ignored);
  }

  Options options(const test::HttpServer& server) const {
    Options result;
    result.endpoint = server.url();
    result.cache_dir = cache_;
    result.retries = 3;
    result.retry_delay = std::chrono::milliseconds(1);
    return result;
  }

  std::string cached(const std::string& file) const { return cache_ + "/models/" + file; }

  // The one-file model: its file in the cache and its path on the server.
  std::string single() const {
    return cached("trentnelson--parallelopedia-data-gpt2/model_19072.pt");
  }
  static constexpr const char* kSinglePath =
      "/datasets/trentnelson/parallelopedia-data-gpt2/resolve/main/model_19072.pt";

  std::string cache_;
};

}  // namespace chorus::hub

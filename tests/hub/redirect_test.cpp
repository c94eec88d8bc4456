// Redirects: what the first response says counts, and nothing secret goes along.

#include "fixture.h"

namespace chorus::hub {
namespace {

using test::HttpServer;
using test::ServerRequest;
using test::ServerResponse;

// Where large files come from, and the endpoint that sends there.
class RedirectTest : public HubTest {
 protected:
  ServerResponse to_store(std::vector<std::string> headers) const {
    headers.push_back("Location: " + store_.url() + "/stored");
    return {.status = 302, .body = "moved", .headers = std::move(headers)};
  }

  std::string stored_ = kBody;
  std::size_t break_after_ = SIZE_MAX;
  HttpServer store_{[this](const ServerRequest& request) {
    ServerResponse response = serve_file(request, stored_, "\"etag of the store\"");
    response.break_after = break_after_;
    break_after_ = SIZE_MAX;
    return response;
  }};
};

TEST_F(RedirectTest, LinkedEtagOfTheRedirectIsWhatIsChecked) {
  HttpServer endpoint([&](const ServerRequest&) {
    return to_store({std::string("X-Linked-Etag: ") + kBodySha256, "X-Linked-Size: 10"});
  });
  Result<std::string> fetched = fetch("parallelopedia", options(endpoint));
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  EXPECT_EQ(read_file(single()), kBody);
  std::filesystem::remove(single());
  stored_ = "SOME BYTES";
  fetched = fetch("parallelopedia", options(endpoint));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kCorrupt);
  EXPECT_NE(fetched.assume_error().message.find("sha256"), std::string::npos);
}

TEST_F(RedirectTest, LinkedSizeMustBeWhatIsSent) {
  HttpServer endpoint([&](const ServerRequest&) {
    return to_store({std::string("X-Linked-Etag: ") + kBodySha256, "X-Linked-Size: 11"});
  });
  Result<std::string> fetched = fetch("parallelopedia", options(endpoint));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kCorrupt);
  EXPECT_NE(fetched.assume_error().message.find("states 11 bytes and sends 10 bytes"),
            std::string::npos)
      << fetched.assume_error().message;
}

TEST_F(RedirectTest, BrokenTransferIsResumedWithTheEtagOfWhoSends) {
  break_after_ = 4;
  HttpServer endpoint([&](const ServerRequest&) {
    return to_store({std::string("X-Linked-Etag: ") + kBodySha256, "X-Linked-Size: 10"});
  });
  Result<std::string> fetched = fetch("parallelopedia", options(endpoint));
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  EXPECT_EQ(read_file(single()), kBody);
  ASSERT_EQ(store_.requests().size(), 2u);
  EXPECT_EQ(store_.requests()[1].header("range"), "bytes=4-");
  EXPECT_EQ(store_.requests()[1].header("if-range"), "\"etag of the store\"");
}

TEST_F(RedirectTest, LinkedFileThatChangedMeanwhileStartsAnew) {
  break_after_ = 4;
  int count = 0;
  HttpServer endpoint([&](const ServerRequest&) {
    return to_store({++count == 1 ? std::string("X-Linked-Etag: \"older\"")
                                  : std::string("X-Linked-Etag: ") + kBodySha256});
  });
  Result<std::string> fetched = fetch("parallelopedia", options(endpoint));
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  EXPECT_EQ(read_file(single()), kBody);
  ASSERT_EQ(store_.requests().size(), 3u);
  EXPECT_EQ(store_.requests()[2].header("range"), "");
}

TEST_F(RedirectTest, TokenGoesToTheEndpointAndNoFurther) {
  HttpServer endpoint([&](const ServerRequest&) { return to_store({}); });
  ::setenv("HF_TOKEN", "hf_secret", 1);
  Result<std::string> fetched = fetch("parallelopedia", options(endpoint));
  ::unsetenv("HF_TOKEN");
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  ASSERT_EQ(endpoint.requests().size(), 1u);
  EXPECT_EQ(endpoint.requests()[0].header("authorization"), "Bearer hf_secret");
  std::vector<ServerRequest> at_the_store = store_.requests();
  ASSERT_EQ(at_the_store.size(), 1u);
  for (const auto& [name, value] : at_the_store[0].headers) {
    EXPECT_EQ(value.find("hf_secret"), std::string::npos) << name;
  }
}

TEST_F(RedirectTest, TokenIsNotPutIntoMessages) {
  HttpServer endpoint([&](const ServerRequest&) { return ServerResponse{.status = 401}; });
  Options with_token = options(endpoint);
  with_token.token = "hf_secret";
  Result<std::string> fetched = fetch("parallelopedia", with_token);
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().message.find("hf_secret"), std::string::npos);
  EXPECT_NE(fetched.assume_error().message.find("HF_TOKEN"), std::string::npos);
}

TEST_F(RedirectTest, TokenWithALineEndIsRefused) {
  HttpServer endpoint([&](const ServerRequest&) { return ServerResponse{.status = 500}; });
  Options with_token = options(endpoint);
  with_token.token = "a\r\nX-Evil: 1";
  Result<std::string> fetched = fetch("parallelopedia", with_token);
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(endpoint.requests().size(), 0u);
}

TEST_F(RedirectTest, CircleOfRedirectsEnds) {
  HttpServer endpoint([&](const ServerRequest& request) {
    return ServerResponse{.status = 302, .headers = {"Location: " + request.path}};
  });
  Result<std::string> fetched = fetch("parallelopedia", options(endpoint));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kNetwork);
  EXPECT_EQ(endpoint.requests().size(), 11u);
}

TEST_F(RedirectTest, RedirectToALocalFileIsRefused) {
  HttpServer endpoint([&](const ServerRequest&) {
    return ServerResponse{.status = 302, .headers = {"Location: file:///etc/hostname"}};
  });
  Result<std::string> fetched = fetch("parallelopedia", options(endpoint));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kNetwork);
  EXPECT_FALSE(std::filesystem::exists(single()));
}

}  // namespace
}  // namespace chorus::hub

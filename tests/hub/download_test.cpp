// One file over a connection and from a server that may go wrong in every way that is provided for.

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "fixture.h"

namespace chorus::hub {
namespace {

using test::HttpServer;
using test::ServerRequest;
using test::ServerResponse;

TEST_F(HubTest, FetchesOnceAndThenNeedsNoNetwork) {
  std::string path;
  {
    HttpServer server([](const ServerRequest& r) { return serve_file(r, kBody, kBodySha256); });
    Result<std::string> fetched = fetch("parallelopedia", options(server));
    ASSERT_TRUE(fetched) << fetched.assume_error().message;
    path = fetched.assume_value();
    EXPECT_EQ(path, single());
    EXPECT_EQ(read_file(path), kBody);
    EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
    EXPECT_FALSE(std::filesystem::exists(path + ".partial.source"));
    ASSERT_EQ(server.requests().size(), 1u);
    EXPECT_EQ(server.requests()[0].path, kSinglePath);
    EXPECT_EQ(server.requests()[0].header("authorization"), "");
    ASSERT_TRUE(fetch("parallelopedia", options(server)));
    EXPECT_EQ(server.requests().size(), 1u);
  }
  Options offline;
  offline.endpoint = "http://127.0.0.1:1";
  offline.cache_dir = cache_;
  Result<std::string> again = fetch("parallelopedia", offline);
  ASSERT_TRUE(again) << again.assume_error().message;
  EXPECT_EQ(again.assume_value(), path);
}

TEST_F(HubTest, BrokenTransferGoesOnWhereItBrokeOff) {
  std::string body = sample_bytes(300'000);
  std::atomic<int> count{0};
  HttpServer server([&](const ServerRequest& request) {
    ServerResponse response = serve_file(request, body, "\"v1\"");
    if (++count < 3) response.break_after = 100'000;
    return response;
  });
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  EXPECT_EQ(read_file(single()), body);
  ASSERT_EQ(server.requests().size(), 3u);
  EXPECT_EQ(server.requests()[0].header("range"), "");
  EXPECT_EQ(server.requests()[1].header("range"), "bytes=100000-");
  EXPECT_EQ(server.requests()[1].header("if-range"), "\"v1\"");
  EXPECT_EQ(server.requests()[2].header("range"), "bytes=200000-");
}

TEST_F(HubTest, LaterCallGoesOnWithWhatAnEarlierOneLeft) {
  std::string body = sample_bytes(100'000);
  {
    HttpServer server([&](const ServerRequest& request) {
      ServerResponse response = serve_file(request, body, "\"v1\"");
      response.break_after = 40'000;
      return response;
    });
    Options once = options(server);
    once.retries = 0;
    Result<std::string> fetched = fetch("parallelopedia", once);
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.assume_error().code, ErrorCode::kNetwork);
    EXPECT_NE(fetched.assume_error().message.find("kept 40000 bytes, expected 100000 bytes"),
              std::string::npos)
        << fetched.assume_error().message;
  }
  EXPECT_FALSE(std::filesystem::exists(single()));
  HttpServer server([&](const ServerRequest& r) { return serve_file(r, body, "\"v1\""); });
  ASSERT_TRUE(fetch("parallelopedia", options(server)));
  EXPECT_EQ(read_file(single()), body);
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(server.requests()[0].header("range"), "bytes=40000-");
}

TEST_F(HubTest, ServerThatIgnoresRangeStartsAnew) {
  std::string body = sample_bytes(50'000);
  std::atomic<int> count{0};
  HttpServer server([&](const ServerRequest&) {
    ServerResponse response{.body = body, .headers = {"ETag: \"v1\""}};
    if (++count == 1) response.break_after = 20'000;
    return response;
  });
  ASSERT_TRUE(fetch("parallelopedia", options(server)));
  EXPECT_EQ(read_file(single()), body);
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(HubTest, FileThatChangedMeanwhileStartsAnew) {
  std::string before = sample_bytes(50'000), after = "X" + sample_bytes(60'000);
  for (bool honours_if_range : {true, false}) {
    std::atomic<int> count{0};
    HttpServer server([&](const ServerRequest& request) {
      ++count;
      ServerResponse response =
          count == 1 ? serve_file(request, before, "\"v1\"") : serve_file(request, after, "\"v2\"");
      if (count == 1) response.break_after = 20'000;
      if (count == 2 && !honours_if_range) {
        ServerRequest careless = request;
        careless.headers.erase("if-range");
        response = serve_file(careless, after, "\"v2\"");
      }
      return response;
    });
    Result<std::string> fetched = fetch("parallelopedia", options(server));
    ASSERT_TRUE(fetched) << fetched.assume_error().message;
    EXPECT_EQ(read_file(single()), after) << honours_if_range;
    EXPECT_EQ(server.requests().size(), honours_if_range ? 2u : 3u);
    std::filesystem::remove(single());
  }
}

TEST_F(HubTest, FileWithoutAnEtagIsNotResumed) {
  std::string body = sample_bytes(50'000);
  std::atomic<int> count{0};
  HttpServer server([&](const ServerRequest&) {
    ServerResponse response{.body = body};
    if (++count == 1) response.break_after = 20'000;
    return response;
  });
  ASSERT_TRUE(fetch("parallelopedia", options(server)));
  EXPECT_EQ(read_file(single()), body);
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.requests()[1].header("range"), "");
}

TEST_F(HubTest, WrongSha256IsRefusedAndNotKept) {
  HttpServer server(
      [&](const ServerRequest& r) { return serve_file(r, "other text", kBodySha256); });
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kCorrupt);
  std::string expected = std::string(kBodySha256).substr(1, 64);
  EXPECT_NE(fetched.assume_error().message.find("expected " + expected), std::string::npos)
      << fetched.assume_error().message;
  EXPECT_NE(fetched.assume_error().message.find(kSinglePath), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(single()));
  EXPECT_EQ(read_file(single() + ".partial"), "");
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(HubTest, GitBlobHashIsChecked) {
  std::string body = kBody;
  HttpServer server([&](const ServerRequest& r) { return serve_file(r, body, kBodyGitSha1); });
  ASSERT_TRUE(fetch("parallelopedia", options(server)));
  std::filesystem::remove(single());
  body = "same bytes";
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kCorrupt);
  EXPECT_NE(fetched.assume_error().message.find("git blob sha1 is "), std::string::npos);
}

TEST_F(HubTest, WrongHashOfAPiecedFileIsGivenOneFreshTry) {
  std::string folder = std::filesystem::path(single()).parent_path();
  std::filesystem::create_directories(folder);
  std::ofstream(single() + ".partial") << "SOME";  // not how the file begins
  std::ofstream(single() + ".partial.source") << kBodySha256 << "\n" << kBodySha256 << "\n10\n";
  HttpServer server([&](const ServerRequest& r) { return serve_file(r, kBody, kBodySha256); });
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  EXPECT_EQ(read_file(single()), kBody);
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.requests()[0].header("range"), "bytes=4-");
  EXPECT_EQ(server.requests()[1].header("range"), "");
}

TEST_F(HubTest, WholePartialIsCheckedAndKeptWithoutTheNetwork) {
  std::filesystem::create_directories(std::filesystem::path(single()).parent_path());
  std::ofstream(single() + ".partial") << kBody;
  std::ofstream(single() + ".partial.source") << kBodySha256 << "\n" << kBodySha256 << "\n10\n";
  HttpServer server([&](const ServerRequest& r) { return serve_file(r, kBody, kBodySha256); });
  ASSERT_TRUE(fetch("parallelopedia", options(server)));
  EXPECT_EQ(read_file(single()), kBody);
  EXPECT_EQ(server.requests().size(), 0u);
}

TEST_F(HubTest, StatedLengthAboveWhatIsThereIsAnErrorInTheEnd) {
  HttpServer server([&](const ServerRequest& request) {
    ServerResponse response = serve_file(request, kBody, "\"v1\"");
    if (response.status == 200) response.content_length = 25;
    return response;
  });
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kCorrupt);
  EXPECT_NE(fetched.assume_error().message.find("stated 25 bytes and has 10 bytes"),
            std::string::npos)
      << fetched.assume_error().message;
  EXPECT_FALSE(std::filesystem::exists(single()));
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST_F(HubTest, StatedLengthBelowWhatIsThereIsFoundByTheHash) {
  HttpServer server([&](const ServerRequest& request) {
    ServerResponse response = serve_file(request, kBody, kBodySha256);
    response.content_length = 4;
    return response;
  });
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kCorrupt);
}

TEST_F(HubTest, NeitherLengthNorHashIsNotBelieved) {
  HttpServer server(
      [&](const ServerRequest&) { return ServerResponse{.body = kBody, .content_length = -2}; });
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_FALSE(fetched);
  EXPECT_NE(fetched.assume_error().message.find("neither length nor hash"), std::string::npos);
}

TEST_F(HubTest, MissingFileIsNotFoundAtOnce) {
  HttpServer server([&](const ServerRequest&) {
    return ServerResponse{
        .status = 404, .body = "page", .headers = {"X-Error-Message: Entry not found"}};
  });
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kNotFound);
  EXPECT_EQ(fetched.assume_error().message,
            server.url() + kSinglePath + ": status 404 (Entry not found)");
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(single()));
}

TEST_F(HubTest, ServerErrorIsTriedAgainAndItsPageIsNotTheFile) {
  std::atomic<int> count{0};
  HttpServer server([&](const ServerRequest& request) {
    if (++count < 3) return ServerResponse{.status = 500, .body = "an error page"};
    return serve_file(request, kBody, kBodySha256);
  });
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_TRUE(fetched) << fetched.assume_error().message;
  EXPECT_EQ(read_file(single()), kBody);
}

TEST_F(HubTest, RetriesComeToAnEnd) {
  HttpServer server([&](const ServerRequest&) { return ServerResponse{.status = 503}; });
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kNetwork);
  EXPECT_NE(fetched.assume_error().message.find("status 503"), std::string::npos);
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST_F(HubTest, NobodyListeningIsANetworkError) {
  Options options;
  options.endpoint = "http://127.0.0.1:1";
  options.cache_dir = cache_;
  options.retries = 1;
  options.retry_delay = std::chrono::milliseconds(1);
  Result<std::string> fetched = fetch("parallelopedia", options);
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kNetwork);
  EXPECT_NE(fetched.assume_error().message.find("http://127.0.0.1:1/"), std::string::npos);
}

TEST_F(HubTest, StalledTransferIsGivenUp) {
  std::atomic<bool> done{false};
  HttpServer server([&](const ServerRequest& request) {
    for (int i = 0; i < 6000 && !done; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return serve_file(request, kBody, kBodySha256);
  });
  Options impatient = options(server);
  impatient.retries = 0;
  impatient.stall_timeout = std::chrono::seconds(1);
  Result<std::string> fetched = fetch("parallelopedia", impatient);
  done = true;
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kNetwork);
}

TEST_F(HubTest, ProgressCountsUpToTheWhole) {
  std::string body = sample_bytes(200'000);
  HttpServer server([&](const ServerRequest& r) { return serve_file(r, body, "\"v1\""); });
  Options watched = options(server);
  std::uint64_t last = 0;
  watched.progress = [&](const std::string& name, std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(name, "model_19072.pt");
    EXPECT_EQ(total, 200'000u);
    EXPECT_GE(done, last);
    last = done;
  };
  ASSERT_TRUE(fetch("parallelopedia", watched));
  EXPECT_EQ(last, 200'000u);
}

TEST_F(HubTest, TwoFetchesAtOnceTransferOnce) {
  std::string body = sample_bytes(200'000);
  HttpServer server([&](const ServerRequest& request) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return serve_file(request, body, "\"v1\"");
  });
  Options shared = options(server);
  std::atomic<int> good{0};
  auto work = [&] { good += fetch("parallelopedia", shared).has_value() ? 1 : 0; };
  std::thread one(work), two(work);
  one.join();
  two.join();
  EXPECT_EQ(good, 2);
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(read_file(single()), body);
}

TEST_F(HubTest, UnwritableCacheIsNamed) {
  std::filesystem::permissions(cache_, std::filesystem::perms::owner_read);
  HttpServer server([&](const ServerRequest& r) { return serve_file(r, kBody, kBodySha256); });
  // Root may write everywhere, so that it asks as somebody who may not.
  uid_t user = ::geteuid();
  if (user == 0) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_EQ(::seteuid(user), 0);
  std::filesystem::permissions(cache_, std::filesystem::perms::owner_all);
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kIo);
  EXPECT_NE(fetched.assume_error().message.find(cache_), std::string::npos);
}

TEST_F(HubTest, CacheThatIsAFileIsNamed) {
  std::ofstream(cache_ + "/models") << "in the way";
  HttpServer server([&](const ServerRequest& r) { return serve_file(r, kBody, kBodySha256); });
  Result<std::string> fetched = fetch("parallelopedia", options(server));
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.assume_error().code, ErrorCode::kIo);
  EXPECT_NE(fetched.assume_error().message.find(cache_ + "/models"), std::string::npos);
}

// libcurl would say of each that it could not connect, or find the host.
TEST_F(HubTest, AWantOfDescriptorsIsNamedWhereverItStrikes) {
  Options with;
  with.endpoint = "http://localhost:1";
  with.cache_dir = cache_;
  with.retries = 0;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  int named = 0;
  for (rlim_t left = 0; left < 12; ++left) {
    std::filesystem::remove_all(cache_);
    int next = ::dup(0);
    ::close(next);
    rlimit lowered{static_cast<rlim_t>(next) + left, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lowered), 0);
    Result<std::string> fetched = fetch("parallelopedia", with);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(fetched);
    const std::string& message = fetched.assume_error().message;
    if (message.find("Too many open files") != std::string::npos) ++named;
    // With enough it is as always: nothing answers there.
    bool is_named = message.find("Too many open files") != std::string::npos;
    EXPECT_TRUE(is_named || message.find("Failed to connect") != std::string::npos) << message;
    EXPECT_TRUE(is_named || left > 0) << message;
  }
  EXPECT_GE(named, 2);
}

}  // namespace
}  // namespace chorus::hub

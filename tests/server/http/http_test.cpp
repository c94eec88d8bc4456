// HTTP itself: keep-alive, pipelining, limits and their statuses, keys, origins, files, state, and
// the end of a server.

#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "server/fixture.h"
#include "support/engine_pause.h"
#include "support/scratch_folder.h"

namespace chorus::server {
namespace {

using std::chrono::milliseconds;

class Http : public ServerTest {
 protected:
  // Without a model: what needs none works at once.
  void start_bare(ServerOptions options = {}) {
    options.port = 0;
    options.log_level = "off";
    start_with(std::move(options), {});
  }
  // A connection whose first request came in the short time that it has for it, which on a busy machine not
  // every one does; none if that never happens.
  std::unique_ptr<HttpClient> served_in_time() {
    for (int i = 0; i < 100; ++i) {
      auto client = std::make_unique<HttpClient>(server_->port());
      client->get("/plaintext");
      if (client->answer().status == 200) return client;
    }
    return nullptr;
  }
};

TEST_F(Http, AnswersPipelinedRequestsInOrder) {
  start();
  HttpClient client(server_->port());
  const std::string one =
      "GET /generate/a?max_length=30&seed=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
  client.send(one + "GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n" + one);
  HttpAnswer first = client.answer(), second = client.answer(), third = client.answer();
  EXPECT_TRUE(first.is_whole);
  EXPECT_EQ(second.body, "Hello, World!");
  EXPECT_EQ(third.body, first.body);
}

TEST_F(Http, BytesMayComeOneByOne) {
  start();
  HttpClient client(server_->port());
  const std::string request =
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
      "19\r\n\r\n{\"content\":\"Hello\"}";
  for (int round = 0; round < 2; ++round) {
    for (char byte : request) client.send(std::string(1, byte));
    EXPECT_EQ(client.answer().body,
              R"({"tokens":[15496],"count":1,"max_model_len":1024,"token_strs":null})");
  }
}

TEST_F(Http, KeepsTheConnectionUnlessToldOtherwise) {
  start_bare();
  HttpClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    client.get("/plaintext");
    EXPECT_EQ(client.answer().status, 200);
  }
  client.get("/plaintext", "Connection: close\r\n");
  EXPECT_EQ(client.answer().header("connection"), "close");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(Http, RefusalsAreJsonAndCloseTheConnection) {
  start_bare({.http = {.max_header = 4096, .max_body = 1000}});
  struct Case {
    int status;
    std::string bytes;
  };
  const Case cases[] = {
      {400, "nonsense\r\n\r\n"},
      {400,
       "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
       "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {413, "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n" +
                std::string(1001, 'x')},
      {431, "GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n"},
  };
  for (const Case& one : cases) {
    HttpClient client(server_->port());
    client.send(one.bytes);
    HttpAnswer answer = client.answer();
    EXPECT_EQ(answer.status, one.status);
    EXPECT_NE(error(answer).at("message").as_string(), "");
    EXPECT_EQ(answer.header("connection"), "close");
    EXPECT_TRUE(client.is_closed());
  }
}

TEST_F(Http, ASlowHeadIs408) {
  start_bare({.http = {.header_timeout = milliseconds(200)}});
  HttpClient client(server_->port());
  client.send("GET /plaintext HTTP/1.1\r\n");
  EXPECT_EQ(client.answer().status, 408);
  EXPECT_TRUE(client.is_closed());
}

TEST_F(Http, AnIdleConnectionIsClosed) {
  start_bare({.http = {.idle_timeout = milliseconds(200)}});
  HttpClient client(server_->port());
  EXPECT_TRUE(client.is_closed());
}

TEST_F(Http, TheLongestIdleIsPutOutForANewConnection) {
  start_bare({.io_threads = 1, .http = {.max_connections = 2}});
  HttpClient silent(server_->port());
  pause();
  HttpClient used(server_->port());
  used.get("/plaintext");
  EXPECT_EQ(used.answer().status, 200);
  HttpClient third(server_->port());
  third.get("/plaintext");
  EXPECT_EQ(third.answer().status, 200);
  EXPECT_TRUE(silent.is_closed());
  used.get("/plaintext");
  EXPECT_EQ(used.answer().status, 200);
}

TEST_F(Http, ANewConnectionHasItsFirstByteSoon) {
  start_bare({.http = {.first_byte_timeout = std::chrono::milliseconds(200)}});
  HttpClient silent(server_->port());
  std::unique_ptr<HttpClient> used = served_in_time();
  ASSERT_NE(used, nullptr);
  EXPECT_TRUE(silent.is_closed());
  used->get("/plaintext");  // which has another time
  EXPECT_EQ(used->answer().status, 200);
}

TEST_F(Http, TooManyConnectionsAre503) {
  start_bare({.http = {.max_connections = 1}});
  HttpClient first(server_->port());
  ASSERT_EQ(first.half_request(), 100);                     // it is not idle
  EXPECT_EQ(get("/health").header("connection"), "close");  // answered even now
  for (bool asks : {false, true}) {                         // before it reads
    HttpClient second(server_->port());
    if (asks) second.post("/tokenize", std::string(50000, ' '));
    HttpAnswer refused = second.answer();
    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(refused.is_whole);
    EXPECT_EQ(refused.header("retry-after"), "1");
    EXPECT_EQ(error(refused).at("code"), "connections");
    EXPECT_TRUE(second.is_closed());
  }
  first.end_half_request();
  EXPECT_EQ(first.answer().status, 200);
  first.close();
  for (int i = 0; i < kPatience; ++i) {
    if (get("/plaintext").status == 200) return;
    pause();
  }
  FAIL() << "the place was not given back";
}

TEST_F(Http, ContinuesWhenTheClientWaitsForIt) {
  start();
  HttpClient client(server_->port());
  client.send(
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.answer().status, 100);
  client.send("{\"content\":\"a\"}");
  EXPECT_EQ(client.answer().status, 200);
}

TEST_F(Http, MethodsAndPathsThatAreNotThere) {
  start_bare();
  HttpClient client(server_->port());
  client.send("DELETE /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  HttpAnswer wrong = client.answer();
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(get("/v1/completions").header("allow"), "POST, OPTIONS");
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(get("/%00").status, 404);
  EXPECT_EQ(get("/%zz").status, 400);
  client.send("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.answer().status, 204);
}

TEST_F(Http, RequestIdsAreTheClientsOwnIfSane) {
  start_bare();
  EXPECT_EQ(get("/plaintext", "X-Request-Id: my-id.1\r\n").header("x-request-id"), "my-id.1");
  HttpAnswer first = get("/plaintext", "X-Request-Id: a b\r\n"), second = get("/plaintext");
  EXPECT_EQ(first.header("x-request-id").size(), 24u);
  EXPECT_NE(first.header("x-request-id"), second.header("x-request-id"));
}

TEST_F(Http, KeysAreAskedForWhereThereIsWork) {
  start({.api_keys = {"first-key", "second-key"}});
  EXPECT_EQ(get("/health").status, 200);
  HttpAnswer refused = post("/tokenize", R"({"content":"a"})");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(error(refused).at("type"), "authentication_error");
  EXPECT_EQ(refused.header("www-authenticate"), "Bearer");
  for (const char* wrong : {"Bearer first-ke", "Bearer first-key2", "Basic first-key", "first-key",
                            "Bearer ", "Bearer first-key, Bearer x"}) {
    std::string header = std::string("Authorization: ") + wrong + "\r\n";
    EXPECT_EQ(post("/tokenize", R"({"content":"a"})", header).status, 401) << wrong;
  }
  EXPECT_EQ(post("/tokenize", R"({"content":"a"})", "X-Api-Key: first-ke\r\n").status, 401);
  EXPECT_EQ(post("/tokenize", R"({"content":"a"})", "X-Api-Key: Bearer first-key\r\n").status, 401);
  for (const char* right :
       {"Authorization: Bearer first-key", "Authorization: bearer second-key",
        "X-Api-Key: first-key", "Authorization: Basic eDp5\r\nX-Api-Key: second-key"}) {
    std::string header = std::string(right) + "\r\n";
    EXPECT_EQ(post("/tokenize", R"({"content":"a"})", header).status, 200) << right;
  }
}

TEST_F(Http, OnlyTheOriginsThatAreAllowedAreTold) {
  start_bare({.http = {.cors_origins = {"http://a.example"}}});
  const std::string allow = "access-control-allow-origin";
  EXPECT_EQ(get("/plaintext", "Origin: http://a.example\r\n").header(allow), "http://a.example");
  EXPECT_EQ(get("/plaintext", "Origin: http://b.example\r\n").header(allow), "");
  HttpClient client(server_->port());
  client.send(
      "OPTIONS /v1/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.example\r\n"
      "Access-Control-Request-Method: POST\r\n\r\n");
  HttpAnswer preflight = client.answer();
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header(allow), "http://a.example");
  EXPECT_NE(preflight.header("access-control-allow-headers").find("Authorization"),
            std::string::npos);
  EXPECT_NE(preflight.header("access-control-expose-headers").find("X-Seed"), std::string::npos);
}

// As browsers ask for the openai package, which sends headers of its own.
TEST_F(Http, APreflightIsAnsweredWhatItAsks) {
  start_bare({.http = {.cors_origins = {"HTTP://A.example/"}}});
  auto ask = [&](const std::string& origin, const std::string& target, const std::string& more) {
    HttpClient client(server_->port());
    client.send("OPTIONS " + target + " HTTP/1.1\r\nHost: localhost\r\nOrigin: " + origin +
                "\r\nAccess-Control-Request-Method: POST\r\n" + more + "\r\n");
    return client.answer();
  };
  const std::string names = "authorization,content-type,x-stainless-arch,x-stainless-os";
  for (const char* target : {"/v1/completions", "/v1/embeddings", "/nothing", "/generate"}) {
    HttpAnswer answer = ask("http://a.example", target,
                            "Access-Control-Request-Headers: " + names +
                                "\r\nAccess-Control-Request-Private-Network: true\r\n");
    EXPECT_EQ(answer.status, 204) << target;
    EXPECT_EQ(answer.header("access-control-allow-origin"), "http://a.example");
    EXPECT_EQ(answer.header("access-control-allow-headers"), names);
    EXPECT_NE(answer.header("access-control-allow-methods").find("POST"), std::string::npos);
    EXPECT_EQ(answer.header("access-control-allow-private-network"), "true");
    EXPECT_EQ(answer.header("vary"), "Origin");
  }
  HttpAnswer odd =
      ask("http://a.example", "/v1/completions", "Access-Control-Request-Headers: a<b>\"c\r\n");
  EXPECT_EQ(odd.header("access-control-allow-headers").find('<'), std::string::npos);
  HttpAnswer other = ask("http://b.example", "/v1/completions",
                         "Access-Control-Request-Headers: " + names + "\r\n");
  EXPECT_EQ(other.header("access-control-allow-origin"), "");
  EXPECT_EQ(other.header("access-control-allow-headers"), "");
  EXPECT_EQ(other.header("access-control-allow-methods"), "");
}

TEST_F(Http, LocalhostIsBothFamilies) {
  for (const char* host : {"localhost", "[::1]", "::1"}) {
    start_bare({.host = host});
    int socket = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) GTEST_SKIP() << "no IPv6 here";
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(server_->port());
    address.sin6_addr = in6addr_loopback;
    EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0) << host;
    ::close(socket);
    EXPECT_EQ(HttpClient(server_->port()).is_connected(), std::string(host) == "localhost") << host;
  }
}

TEST(ServerStart, TwoModelsOfOneNameAreAnError) {
  auto load = []() -> Result<std::unique_ptr<Engine>> { return Error{ErrorCode::kIo, "x"}; };
  for (const char* name : {"a", ""}) {
    auto server = Server::start({.port = 0}, {{"a", load}, {"b", load}, {name, load}});
    ASSERT_FALSE(server);
    EXPECT_EQ(server.assume_error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(Http, APathThatDoesNotExistSaysWhatWasMeant) {
  start_bare({});
  const std::pair<const char*, const char*> hints[] = {
      {"/completions", "POST /v1/completions"},
      {"/api/v1/completions", "POST /v1/completions"},
      {"/v1/v1/completions", "POST /v1/completions"},
      {"/v1/engines/gpt2/completions", "POST /v1/completions"},
      {"/v1/completion", "POST /v1/completions"},
      {"/models", "GET /v1/models"},
      {"/v1/tokenize", "POST /tokenize"},
      {"/api/generate/x", "GET /generate/PROMPT"},
      {"/v1/health", "GET /health"},
      {"/healthz", "GET /health"},
      {"/chat/completions", "POST /v1/chat/completions"},
      {"/api/chat", "POST /v1/chat/completions"},
      {"/v1/embeddings", "no embeddings"},
      {"/v1/messages", "Anthropic's messages"},
      {"/v1/", "base URL"},
      {"/nothing", "GET / lists"},
      {"/%FF", "GET / lists"}};
  for (const auto& [path, hint] : hints) {
    for (const HttpAnswer& answer : {get(path), post(path, "{}")}) {
      EXPECT_EQ(answer.status, 404) << path;
      EXPECT_EQ(error(answer).at("code"), "not_found");
      EXPECT_NE(answer.body.find(hint), std::string::npos) << answer.body;
    }
  }
  EXPECT_LT(get("/" + std::string(20000, 'x')).body.size(), 1000u);
}

TEST_F(Http, SlashesMoreOrLessMakeNoOtherPath) {
  start_bare({});
  for (const char* path : {"/plaintext", "/plaintext/", "//plaintext", "///plaintext//"}) {
    EXPECT_EQ(get(path).body, "Hello, World!") << path;
  }
  EXPECT_EQ(get("//").status, 200);
  EXPECT_EQ(get("/v1//models/").status, 200);
  for (const char* path : {"/v1/completions/", "//v1//completions"}) {
    HttpAnswer answer = get(path);
    EXPECT_EQ(answer.status, 405) << path;
    EXPECT_EQ(answer.header("allow"), "POST, OPTIONS");
  }
  HttpClient client(server_->port());
  client.send("DELETE /generate HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.answer().header("allow"), "GET, HEAD, POST, OPTIONS");
}

TEST_F(Http, ServesFilesOfItsFolderAndNoOthers) {
  test::ScratchFolder folder;
  std::filesystem::create_directories(folder.file("site/sub"));
  std::ofstream(folder.file("secret.txt")) << "secret";
  std::ofstream(folder.file("site/a.txt")) << "0123456789";
  std::ofstream(folder.file("site/sub/index.html")) << "<p>index";
  std::filesystem::create_symlink(folder.file("secret.txt"), folder.file("site/link.txt"));
  std::filesystem::create_symlink("a.txt", folder.file("site/inside.txt"));
  std::filesystem::create_symlink("..", folder.file("site/up"));
  start_bare({.static_dir = folder.file("site")});

  HttpAnswer whole = get("/a.txt");
  EXPECT_EQ(whole.body, "0123456789");
  EXPECT_EQ(whole.header("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(get("/inside.txt").body, "0123456789");
  EXPECT_EQ(get("/sub/").body, "<p>index");
  for (const char* out : {"/link.txt", "/up/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt",
                          "/sub/../../secret.txt", "/..%2fsecret.txt", "/sub", "/a.txt/", "/up"}) {
    EXPECT_EQ(get(out).status, 404) << out;
  }

  EXPECT_EQ(get("/a.txt", "Range: bytes=2-4\r\n").body, "234");
  EXPECT_EQ(get("/a.txt", "Range: bytes=2-4\r\n").header("content-range"), "bytes 2-4/10");
  EXPECT_EQ(get("/a.txt", "Range: bytes=7-\r\n").body, "789");
  EXPECT_EQ(get("/a.txt", "Range: bytes=-3\r\n").body, "789");
  EXPECT_EQ(get("/a.txt", "Range: bytes=5-99\r\n").body, "56789");
  EXPECT_EQ(get("/a.txt", "Range: bytes=10-\r\n").status, 416);
  EXPECT_EQ(get("/a.txt", "Range: bytes=4-2\r\n").status, 200);
  EXPECT_EQ(get("/a.txt", "Range: bytes=0-1,4-5\r\n").status, 200);
  EXPECT_EQ(get("/a.txt", "Range: bytes=2-4\r\nIf-Range: \"other\"\r\n").status, 200);
  EXPECT_EQ(get("/a.txt", "If-None-Match: " + whole.header("etag") + "\r\n").status, 304);
  EXPECT_EQ(get("/a.txt", "If-Modified-Since: " + whole.header("last-modified") + "\r\n").status,
            304);
  HttpClient client(server_->port());
  client.send("HEAD /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.answer(false).header("content-length"), "10");
}

TEST_F(Http, WhileTheModelLoadsItSaysSo) {
  std::atomic<bool> may_load{false};
  auto load = [&]() -> Result<std::unique_ptr<Engine>> {
    while (!may_load) pause();
    test::TinyModel model(word_config());
    return Engine::load(model.checkpoint(), {.threads = 1, .pin_threads = false});
  };
  ServerOptions options;
  options.port = 0;
  options.log_level = "off";
  start_with(options, {{"slow", load}});
  HttpAnswer health = get("/health");
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(health.header("retry-after"), "1");
  EXPECT_EQ(get("/generate/a").status, 503);
  EXPECT_EQ(get("/plaintext").status, 200);
  may_load = true;
  for (int i = 0; i < kPatience && get("/health").status != 200; ++i) pause();
  EXPECT_EQ(get("/generate/a?max_length=5").status, 200);
  EXPECT_NE(get("/v1/models").body.find("\"id\":\"slow\""), std::string::npos);
}

TEST_F(Http, AModelThatCannotBeLoadedEndsIt) {
  ServerOptions options;
  options.port = 0;
  options.log_level = "off";
  start_with(
      options,
      {{"none", [] {
          return Result<std::unique_ptr<Engine>>(Error{ErrorCode::kNotFound, "no such file"});
        }}});
  Result<bool> end = server_->wait();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.assume_error().message, "none: no such file");
}

// Between requests another time holds than for bodies and readers.
TEST_F(Http, AConnectionRestsBetweenRequestsForAsLongAsItMay) {
  start_bare(
      {.http = {.idle_timeout = milliseconds(100), .keep_alive_timeout = milliseconds(60'000)}});
  std::unique_ptr<HttpClient> resting = served_in_time();
  ASSERT_NE(resting, nullptr);
  for (int i = 0; i < 50; ++i) pause();
  resting->get("/plaintext");
  EXPECT_EQ(resting->answer().status, 200);

  start_bare(
      {.http = {.idle_timeout = milliseconds(60'000), .keep_alive_timeout = milliseconds(100)}});
  HttpClient closed(server_->port());
  for (int i = 0; i < 30; ++i) pause();
  closed.get("/plaintext");  // the first has the other time
  EXPECT_EQ(closed.answer().status, 200);
  EXPECT_TRUE(closed.is_closed());
}

TEST_F(Http, DrainingFinishesWhatRunsAndOneMoreRequestOfEachConnection) {
  start();
  HttpClient running(server_->port()), idle(server_->port()), later(server_->port());
  idle.get("/plaintext");
  EXPECT_EQ(idle.answer().status, 200);
  test::EnginePause paused(*engine_);
  running.get("/generate/a?max_length=200&seed=1");
  ASSERT_TRUE(has_waiting(1));
  // Once the first is answered, the beginning of the second has been read.
  later.send("GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\nGET /generate/b HTTP/1.1\r\n");
  EXPECT_EQ(later.answer().status, 200);
  server_->drain();
  paused.end();
  later.send("Host: localhost\r\n\r\n");
  HttpAnswer last = later.answer();
  EXPECT_TRUE(last.status == 200 && last.is_whole);
  EXPECT_EQ(last.header("connection"), "close");
  EXPECT_TRUE(later.is_closed());
  EXPECT_TRUE(idle.is_closed());
  EXPECT_FALSE(HttpClient(server_->port()).is_connected());
  Result<bool> end = server_->wait();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end.assume_value());
  EXPECT_TRUE(running.answer().is_whole);
}

TEST_F(Http, TheDrainTimeoutCutsWhatIsLeft) {
  start({.drain_timeout = milliseconds(50)}, {.step_rows = 1});
  HttpClient client(server_->port());
  client.post("/v1/completions", R"({"prompt":"a","max_tokens":1000,"n":128,"ignore_eos":true})");
  ASSERT_TRUE(becomes_busy());
  server_->drain();
  Result<bool> end = server_->wait();
  ASSERT_TRUE(end);
  EXPECT_FALSE(end.assume_value());
}

TEST_F(Http, MetricsCount) {
  start();
  HttpClient client(server_->port());
  client.get("/generate/Hello%20there?max_length=12&seed=1", "Connection: close\r\n");
  EXPECT_TRUE(client.answer().is_whole);
  EXPECT_TRUE(client.is_closed());  // by then it was counted
  EXPECT_TRUE(becomes_idle());
  std::string text = get("/metrics").body;
  for (const char* line :
       {"chorus_num_requests_running{model_name=\"tiny\"} 0",
        "chorus_prompt_tokens_total{model_name=\"tiny\"} 2",
        "chorus_generation_tokens_total{model_name=\"tiny\"} 10",
        "chorus_request_success_total{finished_reason=\"length\",model_name=\"tiny\"} 1",
        "chorus_time_to_first_token_seconds_count{model_name=\"tiny\"} 1",
        "chorus_inter_token_latency_seconds_count{model_name=\"tiny\"} 9",
        "chorus_e2e_request_latency_seconds_count{model_name=\"tiny\"} 1",
        "chorus_build_info{version=", "process_resident_memory_bytes ",
        "process_cpu_seconds_total ", "process_open_fds ", "process_start_time_seconds ",
        "chorus_http_requests_total{route=\"/generate/PROMPT\",status=\"200\"} 1"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

TEST_F(Http, ScoringIsNoCompletion) {
  start();
  EXPECT_EQ(post("/v1/score", R"({"text":"Hello there, you"})").status, 200);
  EXPECT_EQ(
      post("/v1/completions", R"({"prompt":"Hello there","max_tokens":0,"echo":true,"logprobs":1})")
          .status,
      200);
  std::string text = get("/metrics").body;
  EXPECT_NE(text.find("chorus_scored_windows_total{model_name=\"tiny\"} 2"), std::string::npos)
      << text;
  EXPECT_EQ(text.find("chorus_request_success_total{"), std::string::npos) << text;
  EXPECT_NE(text.find("chorus_e2e_request_latency_seconds_count{model_name=\"tiny\"} 0"),
            std::string::npos);
}

TEST_F(Http, WithoutDescriptorsItGoesOnWhenThereAreSomeAgain) {
#if defined(__SANITIZE_ADDRESS__)
  // Built together with the undefined behaviour sanitizer, which itself needs descriptors to look
  // at an object's type.
  GTEST_SKIP() << "the sanitizers do not work without descriptors";
#endif
  start_bare();
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  std::vector<std::unique_ptr<HttpClient>> clients;
  rlimit low = before;
  low.rlim_cur = 64;
  ::setrlimit(RLIMIT_NOFILE, &low);
  for (int i = 0; i < 80; ++i) clients.push_back(std::make_unique<HttpClient>(server_->port()));
  pause();
  clients.clear();
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(get("/plaintext").status, 200);
}

}  // namespace
}  // namespace chorus::server

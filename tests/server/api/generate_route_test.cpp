// /generate, as a client sees it: the prompt first, then text as it is made, whole characters, the
// same for one seed whoever else is there; and what happens when a client goes away.

#include <cstdlib>
#include <random>

#include "core/utf8.h"
#include "engine/engine_impl.h"
#include "server/fixture.h"
#include "support/engine_pause.h"

namespace chorus::server {
namespace {

class GenerateRoute : public ServerTest {};

TEST_F(GenerateRoute, StreamsThePromptAndThenAChunkForEachToken) {
  start();
  HttpAnswer answer = get("/generate/Hello%20there?max_length=20&seed=42&top_k=5");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.is_whole);
  EXPECT_EQ(answer.header("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.header("x-max-length"), "20");
  EXPECT_EQ(answer.header("x-top-k"), "5");
  EXPECT_EQ(answer.header("x-seed"), "42");
  EXPECT_EQ(answer.header("x-model-name"), "tiny");
  EXPECT_EQ(answer.header("x-model-device"), "cpu");
  EXPECT_NE(answer.header("x-request-id"), "");
  ASSERT_GE(answer.chunks.size(), 2u);
  EXPECT_EQ(answer.chunks[0], "Hello there");
  EXPECT_LE(answer.chunks.size(), 19u);  // two tokens of prompt; some chunks end inside a character

  Request request{.prompt = engine_->encode("Hello there").assume_value(), .max_length = 20};
  request.sampling = {.top_k = 5, .seed = 42};
  EXPECT_EQ(answer.body, engine_->complete(request).assume_value()[0].text);
}

TEST_F(GenerateRoute, NeverBreaksACharacter) {
  start();
  for (int seed = 0; seed < 2; ++seed) {
    HttpAnswer answer =
        get("/gpt2/generate/%C3%BCber%20%F0%9F%99%82?max_length=100&seed=" + std::to_string(seed));
    ASSERT_TRUE(answer.is_whole);
    EXPECT_EQ(answer.chunks[0], "über 🙂");
    for (const std::string& chunk : answer.chunks) EXPECT_TRUE(is_well_formed(chunk));
  }
}

TEST_F(GenerateRoute, TheSameSeedGivesTheSameTextUnderLoad) {
  start();
  const std::string target = "/generate/The%20quick?max_length=60&seed=0";
  const std::string alone = get(target).body;
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 24; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server_->port()));
    clients.back()->get(i % 3 == 0 ? "/generate/Another?max_length=90" : target);
  }
  for (int i = 0; i < 24; ++i) {
    HttpAnswer answer = clients[static_cast<std::size_t>(i)]->answer();
    EXPECT_TRUE(answer.is_whole);
    if (i % 3 == 0) continue;
    EXPECT_EQ(answer.body, alone);
  }
}

TEST_F(GenerateRoute, WithoutASeedTextsDiffer) {
  start();
  HttpAnswer first = get("/generate/a?max_length=30"), second = get("/generate/a?max_length=30");
  EXPECT_NE(first.header("x-seed"), second.header("x-seed"));
  EXPECT_NE(first.body, second.body);
}

TEST_F(GenerateRoute, HeadHasTheHeadersAndGeneratesNothing) {
  start();
  HttpClient client(server_->port());
  client.send("HEAD /generate/a?seed=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.answer(false).header("x-seed"), "1");
  client.get("/health");  // nothing was left between the two
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(engine_->stats().generated_tokens, 0u);
}

TEST_F(GenerateRoute, PostTakesJson) {
  start();
  HttpAnswer by_get = get("/generate/a%20b?max_length=20&seed=7");
  HttpAnswer by_post = post("/generate", R"({"prompt":"a b","max_length":20,"seed":7})");
  EXPECT_EQ(by_post.body, by_get.body);
  HttpAnswer by_ids = post("/generate", R"({"prompt_ids":[64,275],"max_length":20,"seed":7})");
  EXPECT_EQ(by_ids.body, by_get.body);
  EXPECT_EQ(error(post("/generate", "{}")).at("param"), "prompt");
}

// The origin's page, with nothing filled in and with everything.
TEST_F(GenerateRoute, TheOriginsPageIsAnswered) {
  start();
  HttpAnswer empty = get("/gpt2/generate/Hello?max_length=&seed=&device=&model=gpt2");
  EXPECT_EQ(empty.status, 200) << empty.body;
  EXPECT_EQ(empty.header("x-max-length"), "100");
  EXPECT_EQ(empty.header("x-model-name"), "tiny");
  EXPECT_EQ(empty.header("x-model-requested"), "gpt2");
  const std::string plain = get("/generate/Hello?max_length=20&seed=5").body;
  for (const char* device : {"cuda:1", "cuda", "cpu", "mps", ""}) {
    HttpAnswer full = get(
        "/gpt2/generate/Hello?max_length=20&seed=5&device=" + std::string(device) + "&model=gpt2");
    EXPECT_EQ(full.header("x-model-device"), "cpu") << device;
    EXPECT_EQ(full.body, plain);
  }
  EXPECT_EQ(get("/generate?prompt=Hello&max_length=20&seed=5").body, plain);
  EXPECT_EQ(get("/gpt2/generate/?prompt=Hello&max_length=20&seed=5").body, plain);
  EXPECT_EQ(post("/generate", R"({"prompt":"Hello","max_length":20,"seed":5,"model":"gpt2"})")
                .header("x-model-requested"),
            "gpt2");
  EXPECT_EQ(get("/generate/Hello?model=tiny&max_length=9").header("x-model-requested"), "");
  HttpAnswer other = get("/generate/Hello?model=gpt2-xl");
  EXPECT_EQ(other.status, 404);
  EXPECT_EQ(error(other).at("param"), "model");
  EXPECT_EQ(error(post("/generate?seed=5", R"({"prompt":"a"})")).at("param"), "seed");
}

TEST_F(GenerateRoute, APromptKeepsItsSlashes) {
  start();
  for (const char* prompt : {"a/b", "/a", "a//b/", "//"}) {
    HttpAnswer answer = get(std::string("//gpt2//generate/") + prompt + "?max_length=8&seed=1");
    ASSERT_FALSE(answer.chunks.empty()) << answer.body;
    EXPECT_EQ(answer.chunks[0], prompt);
  }
}

TEST_F(GenerateRoute, AnEarlyHeadComesBeforeTheQueueMoves) {
  ServerOptions options;
  options.early_head = true;
  options.comment_every = std::chrono::milliseconds(100);
  start(options, {.step_rows = 1});
  test::EnginePause running(*engine_);
  HttpClient stream(server_->port()), text(server_->port());
  stream.post("/v1/completions", R"({"prompt":"a","max_tokens":3,"seed":1,"stream":true})");
  text.get("/generate/waiting?max_length=8&seed=1");
  const std::string comment = ": keep-alive\n\n";
  std::string seen;
  for (std::size_t size = 1; seen.find(comment + "\r\n") == seen.rfind(comment + "\r\n"); ++size) {
    seen = stream.first_bytes(size);
    ASSERT_EQ(seen.size(), size) << "the stream ended";
  }
  EXPECT_GT(engine_->stats().waiting, 0u) << "the head came when the queue had moved";
  EXPECT_TRUE(seen.starts_with("HTTP/1.1 200"));
  EXPECT_NE(text.first_bytes(300).find("X-Seed: 1"), std::string::npos);
  running.end();
  HttpAnswer answer = stream.answer();
  EXPECT_TRUE(answer.is_whole);
  EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
  EXPECT_NE(answer.body.find("data: {"), std::string::npos);
  EXPECT_TRUE(text.answer().is_whole);
}

TEST_F(GenerateRoute, ABadParameterIsNamedAtOnce) {
  start();
  HttpAnswer answer = get("/generate/a?max_length=many");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(error(answer).at("param"), "max_length");
  EXPECT_EQ(error(answer).at("type"), "invalid_request_error");
  EXPECT_EQ(get("/generate/a?model=other").status, 404);
  EXPECT_EQ(get("/generate/%FF").status, 400);
}

TEST_F(GenerateRoute, Version10GetsPlainBytesUpToTheEnd) {
  start();
  HttpClient client(server_->port());
  client.send("GET /generate/a?max_length=20&seed=1 HTTP/1.0\r\n\r\n");
  HttpAnswer answer = client.answer();
  EXPECT_EQ(answer.header("transfer-encoding"), "");
  EXPECT_EQ(answer.body, get("/generate/a?max_length=20&seed=1").body);
}

TEST_F(GenerateRoute, AClientThatGoesAwayFreesItsSlot) {
  start();
  for (bool hard : {false, true}) {
    bool has_run = false;  // else the text had ended before it could be looked at
    for (int i = 0; i < 20 && !has_run; ++i) {
      HttpClient client(server_->port());
      client.get("/generate/a?max_length=1024");
      ASSERT_FALSE(client.first_bytes(1).empty());
      std::uint64_t before = 0;
      {
        test::EnginePause paused(*engine_);
        has_run = engine_->stats().running > 1;
        before = engine_->stats().generated_tokens;
        if (hard) {
          client.reset();
        } else {
          client.close();
        }
        EXPECT_TRUE(becomes_alone());
      }
      EXPECT_TRUE(becomes_idle());
      EXPECT_LT(engine_->stats().generated_tokens - before, 10u);
    }
    EXPECT_TRUE(has_run);
  }
  EXPECT_TRUE(EngineInternals::check_integrity(*engine_));
  EXPECT_NE(get("/metrics").body.find("finished_reason=\"cancelled\",model_name=\"tiny\"} 2"),
            std::string::npos);
}

TEST_F(GenerateRoute, AClientThatHasSentALotAheadIsSeenToGoToo) {
  start({.http = {.max_body = 100000}});
  const std::string next = "GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (std::size_t ahead : {70000u, 400000u}) {
    test::EnginePause paused(*engine_);
    HttpClient client(server_->port());
    client.post("/v1/completions", R"({"prompt":"a","max_tokens":1000,"ignore_eos":true})");
    ASSERT_TRUE(has_waiting(1));
    std::uint64_t before = engine_->stats().generated_tokens;
    for (std::size_t sent = 0; sent < ahead && client.send(next); sent += next.size()) {
    }
    if (ahead > 200000u) {
      EXPECT_TRUE(client.is_closed()) << "more than a request was kept";
    }
    client.close();
    EXPECT_TRUE(becomes_alone());
    paused.end();
    EXPECT_TRUE(becomes_idle());
    EXPECT_LT(engine_->stats().generated_tokens - before, 10u);
  }
}

TEST_F(GenerateRoute, ManyClientsVanishAtRandomPointsAndNothingIsLeft) {
  start();
  std::mt19937 random(1);
  const std::string request =
      "GET /generate/Some%20words?max_length=200 HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (int i = 0; i < 200; ++i) {
    HttpClient client(server_->port());
    ASSERT_TRUE(client.is_connected());
    std::size_t sent = random() % (request.size() + 20);
    client.send(request.substr(0, sent));
    if (sent >= request.size()) {
      for (unsigned reads = random() % 4; reads > 0; --reads) client.receive();
    }
    if (random() % 2 == 0) client.reset();
  }
  EXPECT_TRUE(becomes_idle());
  auto integrity = EngineInternals::check_integrity(*engine_);
  EXPECT_TRUE(integrity) << integrity.assume_error().message;
  EXPECT_EQ(get("/generate/a?max_length=10&seed=1").status, 200);
}

TEST_F(GenerateRoute, AClientThatFillsTheQueueLeavesRoomForOthers) {
  ServerOptions options;
  options.api_keys = {"one", "two"};
  start(options, {.max_queue = 8, .step_rows = 1});
  test::EnginePause running(*engine_);
  auto waits = [this](std::size_t count) {
    bool was = has_waiting(count);
    pause();
    return was && engine_->stats().waiting == count;
  };
  std::vector<std::unique_ptr<HttpClient>> waiting;
  for (std::size_t i = 0; i < 4; ++i) {
    waiting.push_back(std::make_unique<HttpClient>(server_->port()));
    waiting.back()->get("/generate/a?max_length=1024", "Authorization: Bearer one\r\n");
    EXPECT_TRUE(waits(i + 1));
  }
  EXPECT_EQ(get("/generate/a", "Authorization: Bearer one\r\n").status, 429);
  HttpAnswer refused = post("/v1/completions", R"({"prompt":["a","b","c"],"max_tokens":500})",
                            "Authorization: Bearer one\r\n");
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(waits(4));  // none of it was taken
  HttpClient other(server_->port());
  other.get("/generate/b?max_length=20", "Authorization: Bearer two\r\n");
  EXPECT_TRUE(waits(5));
  HttpAnswer never = post("/v1/completions", R"({"prompt":"a","n":9,"max_tokens":5})",
                          "Authorization: Bearer two\r\n");
  EXPECT_EQ(never.status, 400);
  EXPECT_EQ(error(never).at("param"), "n");
}

TEST_F(GenerateRoute, AFullQueueIs429AndSaysWhenToComeAgain) {
  start({}, {.max_queue = 1, .step_rows = 1});
  test::EnginePause running(*engine_);
  HttpClient waiting(server_->port());
  waiting.get("/generate/a?max_length=1024");
  ASSERT_TRUE(has_waiting(1));
  HttpAnswer answer = get("/generate/b?max_length=20");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.header("retry-after"), "1");
  EXPECT_EQ(error(answer).at("code"), "queue_full");
  waiting.close();
  running.end();
  EXPECT_TRUE(becomes_idle());
}

TEST_F(GenerateRoute, TheDeadlineIsAnErrorThatCanBeRead) {
  ServerOptions options;
  options.http.request_timeout = std::chrono::milliseconds(1000);
  start(options);
  bool was_running = false;  // else it had ended before it was held, or had not begun in time
  for (int i = 0; i < 20 && !was_running; ++i) {
    HttpClient running(server_->port()), waiting(server_->port());
    running.get("/generate/a?max_length=1024&seed=1");
    std::string begin = running.first_bytes(12);
    test::EnginePause paused(*engine_);
    was_running = begin == "HTTP/1.1 200" && engine_->stats().running > 1;
    waiting.post("/v1/completions", R"({"prompt":"a","max_tokens":1000})");
    for (int j = 0; j < 150; ++j) pause();  // for longer than anybody may take
    paused.end();
    HttpAnswer answer = waiting.answer();
    EXPECT_EQ(answer.status, 504);
    EXPECT_EQ(error(answer).at("code"), "timeout");
    EXPECT_TRUE(!was_running || !running.answer().is_whole)
        << "a text that broke off must not look complete";
  }
  EXPECT_TRUE(was_running);
  EXPECT_TRUE(becomes_idle());
}

TEST_F(GenerateRoute, ASlowReaderIsCutAndOthersFeelNothing) {
  ServerOptions options;
  options.http.idle_timeout = std::chrono::milliseconds(500);
  options.http.max_buffer = 16 * 1024;
  start(options);
  HttpClient slow(server_->port(), 4096);  // it takes nothing
  slow.post("/v1/completions",
            R"({"prompt":"a","max_tokens":900,"n":32,"logprobs":20,"stream":true})");
  ASSERT_TRUE(becomes_busy());
  EXPECT_TRUE(get("/generate/b?max_length=20").is_whole);
  EXPECT_TRUE(becomes_idle());
  EXPECT_FALSE(slow.answer().is_whole);
  EXPECT_TRUE(EngineInternals::check_integrity(*engine_));
}

}  // namespace
}  // namespace chorus::server

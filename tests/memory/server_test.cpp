// Running out of memory in the server: every allocation of whole HTTP requests fails once, one after
// another, or with those after it, on whichever thread it is. The request that asked gets 503 (or its answer, where it could
// do without), and nothing else: the server lives, and the next request has the text that it always
// has.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "engine/engine_impl.h"
#include "memory/failing_allocations.h"
#include "server/fixture.h"

namespace chorus::server {
namespace {

using test::ExemptFromFailing;
using test::FailingAllocations;

// More than any of the requests here allots; a test would be endless otherwise.
constexpr std::uint64_t kMost = 20'000;

class ServerMemory : public ServerTest {
 protected:
  void SetUp() override { start({}, {.threads = 1}); }

  // `request`: a target, for GET, or a target and a body behind a space.
  test::HttpAnswer ask(const std::string& request) {
    ExemptFromFailing exempt;
    std::size_t space = request.find(' ');
    HttpClient client(server_->port());
    if (space == std::string::npos) {
      client.get(request, "X-Request-Id: one\r\n");
    } else {
      client.post(request.substr(0, space), request.substr(space + 1), "X-Request-Id: one\r\n");
    }
    return client.answer();
  }

  // Without what differs from time to time: when it was made, and what was cached.
  static std::string text_of(const HttpAnswer& answer) {
    static const std::regex varying(R"("created":\d+|"cached_tokens":\d+)");
    return fmt::format("{} {}", answer.status, std::regex_replace(answer.body, varying, ""));
  }

  void expect_intact() {
    ASSERT_TRUE(becomes_idle());
    auto intact = EngineInternals::check_integrity(*engine_);
    EXPECT_TRUE(intact) << intact.assume_error().message;
    bool is_free = false;
    for (int i = 0; i < kPatience && !is_free; ++i) {
      is_free = engine_->stats().kv_reserved == 0.0;
      if (!is_free) pause();
    }
    EXPECT_TRUE(is_free);
  }

  // What a request may have got whose allocation failed.
  void expect_refusal(const HttpAnswer& answer, const std::string& expected) {
    if (answer.status == 503) {
      EXPECT_EQ(error(answer).at("code"), "out_of_memory") << answer.body;
      ++refused_;
    } else if (answer.status == 0) {
      ++closed_;  // there was not even a connection
    } else if (!answer.is_whole || answer.body.find("out_of_memory") != std::string::npos) {
      EXPECT_EQ(answer.status, 200);  // of a stream, that it broke off
      ++broken_;
    } else {
      EXPECT_EQ(text_of(answer), expected);
    }
  }

  // `count`: how many fail in a row; then one beginning for each half of it.
  void fail_each(const std::string& request, std::uint64_t count = 1) {
    std::string expected = text_of(ask(request));
    ASSERT_EQ(expected.substr(0, 4), "200 ") << expected;
    HttpClient bystander(server_->port());
    auto expect_bystander = [&] {
      bystander.get("/plaintext");
      ASSERT_EQ(bystander.answer().body, "Hello, World!");
    };
    expect_bystander();
    std::uint64_t nth = 1;
    for (bool has_failed = true; has_failed && nth < kMost; nth += (count + 1) / 2) {
      SCOPED_TRACE(fmt::format("allocation {}, {} of them", nth, count));
      FailingAllocations failing(nth, count);
      HttpAnswer answer = ask(request);
      failing.stop();
      has_failed = failing.has_failed();
      expect_refusal(answer, expected);
      expect_intact();
      ASSERT_EQ(text_of(ask(request)), expected);
      expect_bystander();
      if (HasFailure()) break;
    }
    EXPECT_LT(nth, kMost);
    if (count == 1) {  // where more fail, mostly nobody can be told
      EXPECT_GT(refused_, 20) << "of " << nth;
      EXPECT_LE(closed_, 40);
    }
    RecordProperty("allocations", std::to_string(nth - 1));
    RecordProperty("refused", refused_);
    RecordProperty("closed", closed_);
    RecordProperty("broken", broken_);
    // Every connection but the bystander's and the one that asks has gone.
    bool is_alone = false;
    for (int i = 0; i < kPatience && !is_alone; ++i, pause()) {
      is_alone = get("/metrics").body.find("chorus_http_connections 2\n") != std::string::npos;
    }
    EXPECT_TRUE(is_alone);
  }

  int refused_ = 0, closed_ = 0, broken_ = 0;
};

TEST_F(ServerMemory, Completions) {
  fail_each(
      R"(/v1/completions {"prompt":["One","Two words"],"max_tokens":3,"n":2,"logprobs":2,"echo":true,"prompt_logprobs":1,"seed":1,"stop":["never a stop"]})");
}

TEST_F(ServerMemory, StreamedCompletions) {
  fail_each(
      R"(/v1/completions {"prompt":"One","max_tokens":4,"logprobs":2,"stream":true,"seed":1})");
}

TEST_F(ServerMemory, Generate) { fail_each("/generate/One%20two?max_length=6&seed=1"); }

TEST_F(ServerMemory, Score) {
  fail_each(R"(/v1/score {"text":"A text to score.","top_logprobs":1})");
}

TEST_F(ServerMemory, Tokens) {
  fail_each(R"(/tokenize {"content":"Some words, and more of them"})");
}

// What a small answer takes is kept by its connection and its thread for the next one. Only the clock
// may allot something meanwhile.
TEST_F(ServerMemory, ASmallAnswerAllotsNothing) {
  constexpr int kAnswers = 200;
  ExemptFromFailing exempt;
  HttpClient client(server_->port());
  auto ask_once = [&] {
    client.get("/plaintext");
    EXPECT_EQ(client.answer().body, "Hello, World!");
  };
  for (int i = 0; i < 10; ++i) ask_once();
  std::uint64_t least = kAnswers;
  for (int tries = 0; tries < 20 && least >= kAnswers / 4u; ++tries) {
    FailingAllocations counting(~std::uint64_t{0}, 0);
    for (int i = 0; i < kAnswers; ++i) ask_once();
    counting.stop();
    least = std::min(least, counting.count());
  }
  EXPECT_LT(least, kAnswers / 4u);
}

TEST_F(ServerMemory, Texts) { fail_each(R"(/detokenize {"tokens":[1,2,3,4,5]})"); }

// As where the machine itself has nothing left: who asks loses the answer and maybe the connection.
class ServerMemoryManyInARow : public ServerMemory, public testing::WithParamInterface<int> {};

TEST_P(ServerMemoryManyInARow, OnlyWhoAsksLosesAnything) {
  auto count = static_cast<std::uint64_t>(GetParam());
  for (const char* request :
       {"/generate/One%20two?max_length=6&seed=1",
        R"(/v1/completions {"prompt":"One","max_tokens":4,"logprobs":2,"stream":true,"seed":1})",
        R"(/v1/score {"text":"A text to score.","top_logprobs":1})",
        R"(/tokenize {"content":"Some words, and more of them"})"}) {
    SCOPED_TRACE(request);
    fail_each(request, count);
    if (HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, ServerMemoryManyInARow, testing::Values(5, 50));

}  // namespace
}  // namespace chorus::server

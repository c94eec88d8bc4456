// The pure parts that become answers: names of tokens, dates, ranges of heads.

#include <gtest/gtest.h>

#include "server/api/api_error.h"
#include "server/api/completion_logprobs.h"
#include "server/api/completions_answer.h"
#include "server/fixture.h"
#include "server/http/request_id.h"
#include "server/http/response_head.h"

namespace chorus::server {
namespace {

TEST(TokenName, DiffersForEveryToken) {
  EXPECT_EQ(token_name(*word_engine(), 15496), "Hello");
  EXPECT_EQ(token_name(*word_engine(), 50256), "<|endoftext|>");
  EXPECT_EQ(token_name(*word_engine(), 50300), "<|id 50300|>");
  EXPECT_TRUE(token_name(*word_engine(), 187).starts_with("bytes:\\x"))
      << token_name(*word_engine(), 187);
}

TEST(CharacterCount, CountsWholeCharacters) {
  CharacterCount count;
  EXPECT_EQ(count.before("a"), 0u);
  EXPECT_EQ(count.before("\xC3"), 1u);  // half of an u with dots
  EXPECT_EQ(count.before("\xBC"), 1u);
  EXPECT_EQ(count.before("bc"), 2u);
  EXPECT_EQ(count.before(""), 4u);
}

std::string top_logprobs(const TokenInfo& token, std::int32_t most) {
  std::string text;
  append_top_logprobs(text, *word_engine(), token, most);
  return text;
}

TEST(CompletionLogprobs, AddsTheTokenToTheLikeliest) {
  TokenInfo token{.id = 15496, .logprob = -2.5, .top = {{11, -0.5}, {995, -1.0}}};
  EXPECT_EQ(top_logprobs(token, 1), R"({",":-0.5,"Hello":-2.5})");
  EXPECT_EQ(top_logprobs(token, 0), R"({"Hello":-2.5})");
  EXPECT_EQ(top_logprobs({.id = 1}, 5), "null");
  EXPECT_EQ(prompt_logprobs_json(*word_engine(), {{.id = 11}, token}, 1),
            R"([null,{"11":{"logprob":-0.5,"rank":1,"decoded_token":","},)"
            R"("15496":{"logprob":-2.5,"rank":null,"decoded_token":"Hello"}}])");
}

TEST(Sse, EscapesWhatSomeReadersTakeForTheEndOfALine) {
  EXPECT_EQ(sse("{\"a\":\"x\xe2\x80\xa8y\xe2\x80\xa9\xc2\x85\"}"),
            "data: {\"a\":\"x\\u2028y\\u2029\\u0085\"}\n\n");
  EXPECT_EQ(sse("ü–€"), "data: ü–€\n\n");
  EXPECT_EQ(sse("\xe2\x80"), "data: \xe2\x80\n\n");
  EXPECT_EQ(sse(""), "data: \n\n");
}

TEST(ResponseHead, DatesGoThereAndBack) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), std::nullopt);
  EXPECT_EQ(parse_http_date(""), std::nullopt);
}

TEST(ResponseHead, ChunksCountBytes) {
  std::string out;
  append_chunk(out, "");
  EXPECT_EQ(out, "") << "an empty chunk would end the body";
  append_chunk(out, "\xC3\xBC and 17 others.");
  EXPECT_EQ(out, "11\r\n\xC3\xBC and 17 others.\r\n");
}

TEST(ApiError, TakesTheFieldFromTheEnginesMessage) {
  ApiError error = to_api_error({ErrorCode::kInvalidArgument, "prompt[3]: expected an id"});
  EXPECT_EQ(error.status, 400);
  EXPECT_EQ(error.param, "prompt");
  EXPECT_EQ(to_api_error({ErrorCode::kOverloaded, "full"}).status, 429);
  EXPECT_EQ(to_api_error({ErrorCode::kIo, "/secret/path: gone"}).message, "the model failed");
  EXPECT_EQ(
      to_json(ApiError(400, "x \"y\"", "p")),
      R"({"error":{"message":"x \"y\"","type":"invalid_request_error","param":"p","code":null}})");
}

TEST(RequestId, IsSaneOrNot) {
  EXPECT_TRUE(is_sane_request_id("a-B_9.c:d"));
  for (const char* bad : {"", "a b", "a\r\n", "\xC3\xBC", "a/b"}) {
    EXPECT_FALSE(is_sane_request_id(bad)) << bad;
  }
  EXPECT_FALSE(is_sane_request_id(std::string(129, 'a')));
}

}  // namespace
}  // namespace chorus::server

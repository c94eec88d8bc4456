// /v1/completions and /v1/score, as OpenAI's clients and evaluation harnesses use them.

#include <cmath>
#include <set>

#include "chorus/words.h"
#include "engine/engine_impl.h"
#include "server/fixture.h"
#include "support/deflate.h"
#include "support/engine_pause.h"

namespace chorus::server {
namespace {

namespace json = boost::json;

class CompletionsRoute : public ServerTest {};

std::vector<std::string> characters_of(std::string_view text) {
  std::vector<std::string> characters;
  for (char c : text) {
    if ((static_cast<unsigned char>(c) >> 6) != 2) characters.emplace_back();
    characters.back() += c;
  }
  return characters;
}

// The JSON of every server-sent event but the last, which is [DONE], and but for comments.
std::vector<json::value> events_of(const test::HttpAnswer& answer) {
  EXPECT_EQ(answer.header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_TRUE(answer.is_whole);
  std::vector<json::value> events;
  std::size_t begin = 0;
  bool is_done = false;
  for (std::size_t end; (end = answer.body.find("\n\n", begin)) != std::string::npos;
       begin = end + 2) {
    std::string event = answer.body.substr(begin, end - begin);
    if (event == ": keep-alive") continue;
    EXPECT_TRUE(event.starts_with("data: ")) << event;
    EXPECT_FALSE(is_done) << "an event behind [DONE]";
    is_done = event == "data: [DONE]";
    if (!is_done) events.push_back(json::parse(event.substr(6)));
  }
  EXPECT_TRUE(is_done);
  EXPECT_EQ(begin, answer.body.size());
  return events;
}

TEST_F(CompletionsRoute, AnswersAsOpenAiDoes) {
  start();
  json::value answer = post_json(
      "/v1/completions", R"({"model":"tiny","prompt":"Hello there","max_tokens":8,"seed":3})");
  EXPECT_TRUE(answer.at("id").as_string().starts_with("cmpl-"));
  EXPECT_EQ(answer.at("object"), "text_completion");
  EXPECT_GT(answer.at("created").as_int64(), 1'600'000'000);
  EXPECT_EQ(answer.at("model"), "tiny");
  const json::value& choice = answer.at("choices").at(0);
  EXPECT_EQ(choice.at("index"), 0);
  EXPECT_EQ(choice.at("finish_reason"), "length");
  EXPECT_TRUE(choice.at("logprobs").is_null());
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), 2);
  EXPECT_EQ(answer.at("usage").at("completion_tokens"), 8);
  EXPECT_EQ(answer.at("usage").at("total_tokens"), 10);
  EXPECT_EQ(answer.at("usage").at("prompt_tokens_details").at("cached_tokens"), 0);

  Request request{.prompt = engine_->encode("Hello there").assume_value(), .max_length = 10};
  request.sampling = {.top_k = 0, .seed = 3};
  std::string expected = "Hello there";
  expected += std::string(choice.at("text").as_string());
  EXPECT_EQ(engine_->complete(request).assume_value()[0].text, expected);
}

TEST_F(CompletionsRoute, TheStreamSaysTheSame) {
  start();
  const std::string fields = R"("prompt":["Hello","A b"],"max_tokens":12,"seed":5,"n":2)";
  json::value whole = post_json("/v1/completions", "{" + fields + "}");
  HttpAnswer answer =
      post("/v1/completions",
           "{" + fields + R"(,"stream":true,"stream_options":{"include_usage":true}})");
  std::vector<json::value> events = events_of(answer);
  std::vector<std::string> texts(4), reasons(4);
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    EXPECT_TRUE(events[i].at("usage").is_null());
    const json::value& choice = events[i].at("choices").at(0);
    auto index = static_cast<std::size_t>(choice.at("index").as_int64());
    EXPECT_EQ(reasons[index], "") << "a chunk behind the choice's end";
    texts[index] += choice.at("text").as_string();
    if (!choice.at("finish_reason").is_null()) {
      reasons[index] = std::string(choice.at("finish_reason").as_string());
    }
  }
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(texts[i], std::string(whole.at("choices").at(i).at("text").as_string()));
    EXPECT_EQ(reasons[i], "length");
  }
  EXPECT_TRUE(events.back().at("choices").as_array().empty());
  EXPECT_EQ(events.back().at("usage").at("completion_tokens"), 48);
}

// Ids and bytes as the engine has them, whatever characters they are parts of.
TEST_F(CompletionsRoute, TokenIdsBytesRanksAndEntropiesAreGivenOnRequest) {
  start();
  const std::string fields =
      R"("prompt":"Hé","max_tokens":30,"seed":5,"n":2,"logprobs":3,"return_token_ids":true,)"
      R"("rank_and_entropy":true,"logit_bias":{"447":10})";  // 447 is a part of characters
  json::value whole = post_json("/v1/completions", "{" + fields + "}");
  Request request{.prompt = engine_->encode("Hé").assume_value(), .max_length = 0, .n = 2};
  request.max_length = static_cast<std::int32_t>(request.prompt.size()) + 30;
  request.sampling = {.top_k = 0, .seed = 5};
  request.sampling.logit_bias = {{447, 10.0f}};
  request.logprobs = 3;
  request.rank_and_entropy = true;
  auto samples = engine_->complete(request).assume_value();
  std::size_t parts = 0;
  for (std::size_t c = 0; c < samples.size(); ++c) {
    const json::value& choice = whole.at("choices").at(c);
    const json::value& logprobs = choice.at("logprobs");
    EXPECT_EQ(choice.at("prompt_token_ids"), json::value_from(request.prompt));
    EXPECT_EQ(choice.at("token_ids"), logprobs.at("token_ids"));
    const auto& tokens = samples[c].result;
    ASSERT_EQ(choice.at("token_ids").as_array().size(), tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      EXPECT_EQ(choice.at("token_ids").at(i), tokens[i].id);
      EXPECT_EQ(logprobs.at("ranks").at(i), *tokens[i].rank);
      EXPECT_EQ(logprobs.at("entropies").at(i), *tokens[i].entropy);
      std::string bytes;
      for (const json::value& byte : logprobs.at("bytes").at(i).as_array()) {
        bytes += static_cast<char>(byte.as_int64());
      }
      EXPECT_EQ(bytes, engine_->token_bytes(tokens[i].id));
      std::string name(logprobs.at("tokens").at(i).as_string());
      if (name.starts_with("bytes:")) ++parts;
      const json::array& top = logprobs.at("top_tokens").at(i).as_array();
      ASSERT_GE(top.size(), 3u);
      for (std::size_t t = 0; t < 3; ++t) {
        EXPECT_EQ(top[t].at("id"), tokens[i].top[t].id);
        EXPECT_EQ(top[t].at("logprob"), tokens[i].top[t].logprob);
        std::string_view key = top[t].at("token").as_string();
        EXPECT_EQ(logprobs.at("top_logprobs").at(i).at(key), tokens[i].top[t].logprob);
      }
      EXPECT_EQ(top.size(), tokens[i].rank <= 3 ? 3u : 4u);
      EXPECT_TRUE(tokens[i].rank <= 3 || top[3].at("id") == tokens[i].id);
    }
  }
  EXPECT_GT(parts, 0u) << "no token that is part of a character: the test has lost its point";

  std::vector<json::value> events =
      events_of(post("/v1/completions", "{" + fields + R"(,"stream":true})"));
  std::vector<json::array> ids(2), prompts(2), told(2);
  for (const json::value& event : events) {
    const json::object& choice = event.at("choices").at(0).as_object();
    auto index = static_cast<std::size_t>(choice.at("index").as_int64());
    for (const json::value& id : choice.at("token_ids").as_array()) ids[index].push_back(id);
    if (const json::value* prompt = choice.if_contains("prompt_token_ids")) {
      EXPECT_TRUE(prompts[index].empty());
      prompts[index] = prompt->as_array();
    }
    if (choice.at("logprobs").is_null()) continue;
    for (const json::value& id : choice.at("logprobs").at("token_ids").as_array()) {
      told[index].push_back(id);
    }
  }
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_EQ(ids[c], whole.at("choices").at(c).at("token_ids").as_array());
    EXPECT_EQ(told[c], ids[c]);
    EXPECT_EQ(json::value(prompts[c]), json::value_from(request.prompt));
  }
}

TEST_F(CompletionsRoute, TokenIdsComeWithoutLogprobsTooAndNotUnasked) {
  start();
  json::value plain = post_json("/v1/completions", R"({"prompt":"a","max_tokens":3,"logprobs":1})");
  EXPECT_FALSE(plain.at("choices").at(0).as_object().contains("token_ids"));
  EXPECT_EQ(plain.at("choices").at(0).at("logprobs").as_object().size(), 4u);
  json::value ids = post_json("/v1/completions",
                              R"({"prompt":[464,3797],"max_tokens":3,"return_token_ids":true})");
  const json::value& choice = ids.at("choices").at(0);
  EXPECT_TRUE(choice.at("logprobs").is_null());
  EXPECT_EQ(choice.at("prompt_token_ids"), json::value({464, 3797}));
  EXPECT_EQ(choice.at("token_ids").as_array().size(), 3u);
  std::vector<json::value> events = events_of(post(
      "/v1/completions",
      R"({"prompt":[464,3797],"max_tokens":30,"return_token_ids":true,"stream":true,"seed":2})"));
  std::size_t count = 0;
  for (const json::value& event : events) {
    count += event.at("choices").at(0).at("token_ids").as_array().size();
  }
  EXPECT_EQ(count, 30u);

  HttpAnswer alone = post("/v1/completions", R"({"prompt":"a","rank_and_entropy":true})");
  EXPECT_EQ(alone.status, 400);
  EXPECT_EQ(error(alone).at("param"), "rank_and_entropy");
}

TEST_F(CompletionsRoute, TheRankOfAPromptsTokenIsToldWhereItIsAskedFor) {
  start();
  const std::string fields = R"("prompt":[464,3797,3332],"max_tokens":0,"prompt_logprobs":1)";
  for (bool asked : {false, true}) {
    json::value answer =
        post_json("/v1/completions", "{" + fields + (asked ? R"(,"rank_and_entropy":true})" : "}"));
    const json::value& second = answer.at("choices").at(0).at("prompt_logprobs").at(1);
    const json::value& rank = second.at("3797").at("rank");
    EXPECT_EQ(rank.is_null(), !asked);
    EXPECT_TRUE(!asked || rank.as_int64() > 1);
  }
}

TEST_F(CompletionsRoute, AModelTellsWhatItIsAndWhatMayBeAskedOfIt) {
  start({.max_answer = 123456});
  HttpAnswer answer = get("/v1/models");
  EXPECT_EQ(answer.status, 200);
  json::value card = parse(answer.body).at("data").at(0);
  EXPECT_EQ(card.at("digest"), json::string(engine_->digest()));
  EXPECT_EQ(card.at("max_model_len"), 1024);
  EXPECT_EQ(card.at("dtype"), "f32");
  EXPECT_EQ(card.at("limits").at("vocab_size"), 50257);
  EXPECT_EQ(card.at("limits").at("answer_bytes"), 123456);
  // What is told as the most is allowed, and one more is not.
  auto most = card.at("limits").at("n").as_int64();
  for (auto n : {most, most + 1}) {
    std::string body = R"({"prompt":"a","max_tokens":0,"n":)" + std::to_string(n) + "}";
    EXPECT_EQ(post("/v1/completions", body).status, n == most ? 200 : 400);
  }
}

TEST_F(CompletionsRoute, StopStringsEndTheText) {
  start();
  const std::string fields = R"("prompt":"x","max_tokens":40,"seed":11)";
  std::string text(
      post_json("/v1/completions", "{" + fields + "}").at("choices").at(0).at("text").as_string());
  std::size_t at = text.find(' ');
  ASSERT_NE(at, std::string::npos) << text;
  json::value answer = post_json("/v1/completions", "{" + fields + R"(,"stop":[" "]})");
  EXPECT_EQ(answer.at("choices").at(0).at("text"), json::string(text.substr(0, at)));
  EXPECT_EQ(answer.at("choices").at(0).at("finish_reason"), "stop");
}

// Tokens that a stop string cut off are in no list, streamed or not; one that it cut through is.
TEST_F(CompletionsRoute, LogprobsEndWhereTheTextEnds) {
  start();
  const std::string fields = R"("prompt":"x","max_tokens":40,"seed":11,"logprobs":1,"echo":)";
  json::value uncut = post_json("/v1/completions", "{" + fields + "false}").at("choices").at(0);
  const std::vector<std::string> characters = characters_of(uncut.at("text").as_string());
  const json::array& offsets = uncut.at("logprobs").at("text_offset").as_array();
  for (const char* echo : {"false", "true"}) {
    for (std::size_t token : {1u, 5u, 12u, 30u}) {
      // Two tokens and the half of a third, where these are whole characters.
      std::size_t begin = static_cast<std::size_t>(offsets[token].as_int64());
      std::string stop;
      for (std::size_t i = begin; i < std::min(begin + 3, characters.size()); ++i) {
        stop += characters[i];
      }
      if (stop.empty() || stop.find("\xef\xbf\xbd") != std::string::npos) continue;
      std::string body = "{" + fields + echo + R"(,"stop":)" + json::serialize(json::string(stop));
      json::value cut = post_json("/v1/completions", body + "}").at("choices").at(0);
      EXPECT_EQ(cut.at("finish_reason"), "stop");
      std::size_t length = characters_of(cut.at("text").as_string()).size();
      const json::array& cut_offsets = cut.at("logprobs").at("text_offset").as_array();
      ASSERT_FALSE(cut_offsets.empty());
      EXPECT_LT(static_cast<std::size_t>(cut_offsets.back().as_int64()), length);
      json::array streamed;
      for (const json::value& event :
           events_of(post("/v1/completions", body + R"(,"stream":true})"))) {
        const json::value& logprobs = event.at("choices").at(0).at("logprobs");
        if (logprobs.is_null()) continue;
        for (const json::value& offset : logprobs.at("text_offset").as_array()) {
          streamed.push_back(offset);
        }
      }
      EXPECT_EQ(streamed, cut_offsets);
    }
  }
}

// An id that ends a text is listed, though a stop string is given, too.
TEST_F(CompletionsRoute, TheIdThatEndsATextIsAmongTheTokens) {
  start();
  const std::string fields = R"("prompt":"x","max_tokens":40,"seed":11,"logprobs":0)";
  json::value uncut = post_json("/v1/completions", "{" + fields + "}").at("choices").at(0);
  std::string name(uncut.at("logprobs").at("tokens").at(3).as_string());
  auto id = engine_->encode(name).assume_value();
  ASSERT_EQ(id.size(), 1u) << name;
  json::value cut =
      post_json("/v1/completions", "{" + fields + R"(,"stop":["never in it"],"stop_token_ids":[)" +
                                       std::to_string(id[0]) + "]}");
  const json::array& tokens = cut.at("choices").at(0).at("logprobs").at("tokens").as_array();
  EXPECT_EQ(tokens.back(), json::string(name));
  EXPECT_EQ(cut.at("choices").at(0).at("finish_reason"), "stop");
}

TEST_F(CompletionsRoute, FieldsThatNobodyReadsAreSaid) {
  start();
  for (const char* stream : {"false", "true"}) {
    HttpAnswer answer =
        post("/v1/completions",
             std::string(R"({"prompt":"a","max_tokens":1,"temprature":0,"x\r\ny":1,)") +
                 R"("user":"u","stream":)" + stream + "}");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("x-ignored-fields"), "temprature, x??y");
  }
  EXPECT_EQ(post("/tokenize", R"({"prompt":"a","zz":1})").header("x-ignored-fields"), "zz");
  EXPECT_EQ(post("/tokenize", R"({"prompt":"a"})").header("x-ignored-fields"), "");
  std::string many = R"({"prompt":"a","max_tokens":1)";
  for (int i = 0; i < 2000; ++i) many += ",\"field" + std::to_string(i) + "\":1";
  EXPECT_LT(post("/v1/completions", many + "}").header("x-ignored-fields").size(), 1100u);
}

TEST_F(CompletionsRoute, CompressedBodiesAreRead) {
  start({.http = {.max_body = 10000}});
  const std::string body = R"({"content":"Hello, world"})";
  auto ask = [&](const std::string& coding, const std::string& bytes) {
    return post("/tokenize", bytes, "Content-Encoding: " + coding + "\r\n");
  };
  const std::string gzip = test::compress(body, 15 + 16), zlib = test::compress(body, 15),
                    raw = test::compress(body, -15);
  EXPECT_EQ(parse(ask("gzip", gzip).body).at("count"), 3);
  EXPECT_EQ(parse(ask("X-GZIP", gzip).body).at("count"), 3);
  EXPECT_EQ(parse(ask("deflate", zlib).body).at("count"), 3);
  EXPECT_EQ(parse(ask("deflate", raw).body).at("count"), 3);
  EXPECT_EQ(parse(ask("identity", body).body).at("count"), 3);
  EXPECT_EQ(
      parse(ask("gzip", test::compress(body.substr(0, 9), 31) + test::compress(body.substr(9), 31))
                .body)
          .at("count"),
      3);
  for (const char* coding :
       {"br", "zstd", "gzip, gzip", "gzip\r\nContent-Encoding: gzip", "compress"}) {
    HttpAnswer answer = ask(coding, gzip);
    EXPECT_EQ(answer.status, 415) << coding;
    EXPECT_EQ(answer.header("accept-encoding"), "gzip, deflate");
  }
  for (std::size_t length = 0; length < gzip.size(); ++length) {
    EXPECT_EQ(ask("gzip", gzip.substr(0, length)).status, 400) << length;
  }
  EXPECT_EQ(ask("gzip", gzip + "x").status, 400);
  EXPECT_EQ(ask("deflate", zlib + "x").status, 400);
  EXPECT_EQ(ask("gzip", body).status, 400);
  const std::string bomb = test::compress(std::string(50'000'000, ' '), 31);
  EXPECT_EQ(ask("gzip", bomb.substr(0, 9000)).status, 413);
}

// What encodes to nothing odd in tiktoken does not do so here: a mark in front of JSON is no text,
// one in a string is; half a character is U+FFFD.
TEST_F(CompletionsRoute, MarksAndHalvesOfCharactersAreTiktokens) {
  start();
  const std::string mark = "\xef\xbb\xbf";
  EXPECT_EQ(post_json("/tokenize", mark + R"({"content":"a"})").at("tokens"), (json::array{64}));
  EXPECT_EQ(post_json("/tokenize", R"({"content":"\ufeffa"})").at("tokens"),
            (json::array{171, 119, 123, 64}));
  EXPECT_EQ(post_json("/tokenize", R"({"content":"\ud83da"})").at("tokens"),
            post_json("/tokenize", R"({"content":"\ufffda"})").at("tokens"));
  EXPECT_EQ(post("/tokenize", "{\"content\":\"\xed\xa0\xbd\"}").status, 400);
}

// What an evaluation harness sends: context and continuation as ids, everything echoed with
// log-probabilities, one token generated that it throws away.
TEST_F(CompletionsRoute, AHarnessFindsItsContinuation) {
  start();
  const std::string context = "The cat, über all", continuation = " sat – down";
  std::vector<std::int32_t> ids = engine_->encode(context).assume_value();
  std::size_t context_length = ids.size();
  std::vector<std::int32_t> rest = engine_->encode(continuation).assume_value();
  ids.insert(ids.end(), rest.begin(), rest.end());
  json::value answer =
      post_json("/v1/completions",
                json::serialize(json::object{{"prompt", json::array{json::value_from(ids)}},
                                             {"max_tokens", 1},
                                             {"logprobs", 2},
                                             {"echo", true},
                                             {"temperature", 0},
                                             {"seed", 1234}}));
  const json::value& choice = answer.at("choices").at(0);
  const json::value& logprobs = choice.at("logprobs");
  const json::array& values = logprobs.at("token_logprobs").as_array();
  ASSERT_EQ(values.size(), ids.size() + 1);
  EXPECT_TRUE(values[0].is_null());
  EXPECT_TRUE(logprobs.at("top_logprobs").at(0).is_null());
  Score score = engine_->score({.ids = ids}).assume_value();
  for (std::size_t i = 1; i < ids.size(); ++i) {
    EXPECT_EQ(values[i].as_double(), score.logprobs[i]) << i;
    const json::object& top = logprobs.at("top_logprobs").at(i).as_object();
    EXPECT_GE(top.size(), 2u);
    EXPECT_LE(top.size(), 3u);
    const json::string& token = logprobs.at("tokens").at(i).as_string();
    ASSERT_TRUE(top.contains(token)) << "the token itself is among the likeliest";
    EXPECT_EQ(top.at(token), values[i]) << "the same double, so that it can be compared";
  }
  // By offsets instead of ids: characters, not bytes.
  const json::array& offsets = logprobs.at("text_offset").as_array();
  std::size_t begin = 0;
  while (offsets[begin].as_int64() < 17) ++begin;  // the context's characters
  EXPECT_EQ(begin, context_length);
  EXPECT_TRUE(std::string(choice.at("text").as_string()).starts_with(context + continuation));
}

TEST_F(CompletionsRoute, EchoWithoutTokensIsPureScoring) {
  start();
  json::value answer = post_json(
      "/v1/completions", R"({"prompt":"Hello there","max_tokens":0,"echo":true,"logprobs":0})");
  EXPECT_EQ(answer.at("choices").at(0).at("text"), "Hello there");
  EXPECT_EQ(answer.at("choices").at(0).at("logprobs").at("tokens").as_array().size(), 2u);
  EXPECT_EQ(answer.at("usage").at("completion_tokens"), 0);
}

TEST_F(CompletionsRoute, StreamedLogprobsJoinUpToTheWhole) {
  start();
  const std::string fields = R"("prompt":"über","max_tokens":30,"seed":2,"echo":true,"logprobs":1)";
  json::value whole = post_json("/v1/completions", "{" + fields + "}");
  json::array tokens, offsets;
  std::string text;
  for (const json::value& event :
       events_of(post("/v1/completions", "{" + fields + R"(,"stream":true})"))) {
    const json::value& choice = event.at("choices").at(0);
    text += choice.at("text").as_string();
    if (choice.at("logprobs").is_null()) continue;
    for (const json::value& token : choice.at("logprobs").at("tokens").as_array()) {
      tokens.push_back(token);
    }
    for (const json::value& offset : choice.at("logprobs").at("text_offset").as_array()) {
      offsets.push_back(offset);
    }
  }
  const json::value& expected = whole.at("choices").at(0);
  EXPECT_EQ(text, std::string(expected.at("text").as_string()));
  EXPECT_EQ(tokens, expected.at("logprobs").at("tokens").as_array());
  EXPECT_EQ(offsets, expected.at("logprobs").at("text_offset").as_array());
}

TEST_F(CompletionsRoute, ErrorsNameTheField) {
  start();
  EXPECT_EQ(error(post("/v1/completions", R"({"prompt":"a","max_tokens":1024})")).at("param"),
            "max_tokens");
  EXPECT_EQ(error(post("/v1/completions", R"({"prompt":[50257]})")).at("param"), "prompt");
  HttpAnswer unknown = post("/v1/completions", R"({"prompt":"a","model":"gpt-4"})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(error(unknown).at("code"), "model_not_found");
  EXPECT_EQ(post("/v1/completions", "no json").status, 400);
}

// The id by which choices of the streamed answer that the client is getting may be cancelled.
std::string cancel_id_of(test::HttpClient& client) {
  constexpr std::string_view kName = "X-Cancel-Id: ";
  std::string head;
  for (std::size_t size = 1; head.find("\r\n\r\n") == std::string::npos; ++size) {
    head = client.first_bytes(size);
    if (head.size() < size) return "";
  }
  std::size_t found = head.find(kName);
  return found == std::string::npos ? "" : head.substr(found + kName.size(), 32);
}

TEST_F(CompletionsRoute, OneChoiceIsCancelledByWhoHasItsId) {
  ServerOptions options;
  options.api_keys = {"one", "two"};
  options.early_head = true;
  start(options);
  const std::string one = "Authorization: Bearer one\r\n", two = "Authorization: Bearer two\r\n";
  const std::string body =
      R"({"prompt":["a","b"],"n":2,"max_tokens":50,"seed":5,"stream":true,"ignore_eos":true})";
  auto texts_of = [](const std::vector<json::value>& events, std::string& reasons) {
    std::vector<std::string> texts(4);
    std::vector<std::string> ends(4);
    for (const json::value& event : events) {
      const json::value& choice = event.at("choices").at(0);
      auto index = static_cast<std::size_t>(choice.at("index").as_int64());
      texts[index] += choice.at("text").as_string();
      if (choice.at("finish_reason").is_string())
        ends[index] = choice.at("finish_reason").as_string();
    }
    for (const std::string& end : ends) reasons += end + " ";
    return texts;
  };
  std::string reasons;
  std::vector<std::string> whole = texts_of(events_of(post("/v1/completions", body, one)), reasons);
  EXPECT_EQ(reasons, "length length length length ");

  test::EnginePause before_the_first_token(*engine_);
  HttpClient client(server_->port());
  client.post("/v1/completions", body, one);
  std::string id = cancel_id_of(client);
  ASSERT_EQ(id.size(), 32u);
  auto cancel = [&](const std::string& named, int index, const std::string& key) {
    return post("/v1/completions/cancel",
                "{\"id\":\"" + named + "\",\"index\":" + std::to_string(index) + "}", key);
  };
  EXPECT_EQ(cancel(id, 2, two).status, 404) << "another's";
  EXPECT_EQ(cancel(id, 4, one).status, 400);
  EXPECT_EQ(cancel(id, -1, one).status, 400);
  EXPECT_EQ(cancel(id, 2, one).status, 200);
  EXPECT_EQ(cancel(id, 2, one).status, 200) << "once more";
  EXPECT_EQ(cancel(id, 2, "").status, 401);
  EXPECT_EQ(cancel(std::string(32, '0'), 2, one).status, 404);
  EXPECT_EQ(error(post("/v1/completions/cancel", R"({"id":"x"})", one)).at("param"), "index");
  EXPECT_EQ(error(post("/v1/completions/cancel", R"({"index":0})", one)).at("param"), "id");

  before_the_first_token.end();
  reasons.clear();
  std::vector<std::string> texts = texts_of(events_of(client.answer()), reasons);
  EXPECT_EQ(reasons, "length length cancelled length ");
  for (std::size_t i : {0, 1, 3}) EXPECT_EQ(texts[i], whole[i]);
  EXPECT_LT(texts[2].size(), whole[2].size());
  EXPECT_TRUE(becomes_idle());
  int status = 200;
  for (int i = 0; i < kPatience && status == 200; ++i) status = cancel(id, 0, one).status;
  EXPECT_EQ(status, 404) << "it has ended";
}

TEST_F(CompletionsRoute, ChoicesOfOneStreamOfRandomNumbersHaveNoIdToCancelBy) {
  start();
  HttpAnswer answer = post(
      "/v1/completions", R"({"prompt":"a","n":2,"max_tokens":3,"stream":true,"one_stream":true})");
  EXPECT_EQ(answer.header("x-cancel-id"), "");
  EXPECT_EQ(post("/v1/completions", R"({"prompt":"a","max_tokens":3,"stream":true})")
                .header("x-cancel-id")
                .size(),
            32u);
}

TEST_F(CompletionsRoute, ARequestIsTakenWholeOrNotAtAll) {
  start({}, {.max_queue = 4, .step_rows = 1});
  test::EnginePause running(*engine_);
  HttpClient waiting(server_->port());
  waiting.get("/generate/a?max_length=1024");
  ASSERT_TRUE(has_waiting(1));
  HttpAnswer answer = post("/v1/completions", R"({"prompt":["a","b"]})");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(engine_->stats().waiting, 1u);
  waiting.close();
  running.end();
  EXPECT_TRUE(becomes_idle());
  EXPECT_TRUE(EngineInternals::check_integrity(*engine_));
}

// It would be refused at any time, so that to come again later is no help.
TEST_F(CompletionsRoute, MoreSamplesThanMayWaitAreTheRequestsOwnFault) {
  start({.chat_template = {ChatTemplateOption::Kind::kPlain}}, {.max_queue = 4, .step_rows = 1});
  struct Case {
    const char *route, *body, *param;
  };
  const Case never[] = {
      {"/v1/completions", R"({"prompt":"a","n":5,"max_tokens":2})", "n"},
      {"/v1/completions", R"({"prompt":"a","n":5,"best_of":5,"max_tokens":2})", "n"},
      {"/v1/completions", R"({"prompt":["a","b"],"n":5,"max_tokens":2})", "n"},
      {"/v1/completions", R"({"prompt":["a","b"],"n":3,"max_tokens":2})", "prompt"},
      {"/v1/completions", R"({"prompt":["a","b","c"],"max_tokens":2})", "prompt"},
      {"/v1/completions", R"({"prompt":["a","b","c","d","e"],"max_tokens":2})", "prompt"},
      {"/v1/completions", R"({"prompt":[[1],[2],[3],[4],[5]],"max_tokens":0,"echo":true})",
       "prompt"},
      {"/v1/completions", R"({"prompt":["a","b","c"],"n":2,"stream":true})", "prompt"},
      {"/v1/chat/completions", R"({"messages":[{"role":"user","content":"a"}],"n":5})", "n"}};
  for (const Case& one : never) {
    HttpAnswer answer = post(one.route, one.body);
    EXPECT_EQ(answer.status, 400) << one.body;
    EXPECT_EQ(error(answer).at("param"), one.param) << answer.body;
    EXPECT_NE(answer.body.find("--max-queue"), std::string::npos) << answer.body;
  }
  // What is no more than that is taken whenever nobody else is there, however it comes.
  const Case fits[] = {
      {"/v1/completions", R"({"prompt":"a","n":4,"max_tokens":2})", ""},
      {"/v1/completions", R"({"prompt":["a","b"],"max_tokens":2})", ""},
      {"/v1/chat/completions",
       R"({"messages":[{"role":"user","content":"a"}],"n":4,"max_tokens":2})", ""},
      {"/v1/score", R"({"text":["a b","c d","e f","g h","i j","k l","m n","o p","q r"]})", ""}};
  for (const Case& one : fits) {
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(post(one.route, one.body).status, 200) << one.body;
      ASSERT_TRUE(becomes_idle());
    }
  }
}

TEST_F(CompletionsRoute, ScoresTextsLongerThanTheBlockToo) {
  start();
  std::string words;
  for (int i = 0; i < 1500; ++i) words += i % 7 == 0 ? " cat" : " sat";
  json::value answer = post_json(
      "/v1/score",
      json::serialize(json::object{{"text", json::array{"The cat", words}}, {"bos", true}}));
  for (std::size_t i : {0u, 1u}) {
    const json::value& result = answer.at("results").at(i);
    Score score = engine_
                      ->score({.ids = engine_->encode(i == 0 ? "The cat" : words).assume_value(),
                               .bos = true})
                      .assume_value();
    EXPECT_NEAR(result.at("loss").to_number<double>(), score.loss, 1e-9);
    const json::array& values = result.at("logprobs").as_array();
    ASSERT_EQ(values.size(), score.logprobs.size());
    for (std::size_t token = 0; token < values.size(); ++token) {
      EXPECT_EQ(values[token].to_number<double>(), score.logprobs[token]);
      EXPECT_EQ(result.at("contexts").at(token).as_int64(), score.contexts[token]);
    }
    EXPECT_NEAR(result.at("perplexity").to_number<double>(), std::exp(score.loss), 1e-6);
  }
  EXPECT_EQ(error(post("/v1/score", R"({"text":""})")).at("param"), "text");
  // A byte order mark is no part of a text.
  EXPECT_EQ(post_json("/v1/score", R"({"text":"\ufeffThe cat"})").at("results"),
            post_json("/v1/score", R"({"text":"The cat"})").at("results"));
}

TEST_F(CompletionsRoute, ScoresOfWordsAreThoseOfTheEngine) {
  start();
  const std::string text = "The cat, it sat.";
  std::vector<std::int32_t> ids = engine_->encode(text).assume_value();
  for (WordBoundary boundary : {WordBoundary::kCorrected, WordBoundary::kLeading}) {
    json::value answer =
        post_json("/v1/score", R"({"text":")" + text + R"(","bos":true,"words":true,)" +
                                   R"("boundary":")" + word_boundary_name(boundary) + "\"}");
    const json::array& words = answer.at("results").at(0).at("words").as_array();
    Score score = engine_->score({.ids = ids, .bos = true, .boundaries = true}).assume_value();
    std::vector<WordScore> expected = word_scores(*engine_, ids, score, boundary);
    ASSERT_EQ(words.size(), expected.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
      EXPECT_EQ(words[i].at("word"), json::string_view(expected[i].text));
      EXPECT_EQ(words[i].at("logprob").to_number<double>(), *expected[i].logprob);
    }
  }
  EXPECT_FALSE(post_json("/v1/score", R"({"text":"a b"})")
                   .at("results")
                   .at(0)
                   .as_object()
                   .contains("words"));
  EXPECT_EQ(post("/v1/score", R"({"text":"a b","boundary":"x"})").status, 400);
}

TEST_F(CompletionsRoute, TokensThereAndBack) {
  start();
  json::value tokens = post_json("/tokenize", R"({"content":"Hello, world"})").at("tokens");
  EXPECT_EQ(tokens, (json::array{15496, 11, 995}));
  EXPECT_EQ(
      post_json("/detokenize", json::serialize(json::object{{"tokens", tokens}})).at("content"),
      "Hello, world");
  // As vLLM has it.
  EXPECT_EQ(post_json("/tokenize", R"({"prompt":"a<|endoftext|>","add_special_tokens":false})"),
            (json::object{{"tokens", {64, 50256}},
                          {"count", 2},
                          {"max_model_len", 1024},
                          {"token_strs", nullptr}}));
  EXPECT_EQ(
      post_json("/tokenize", R"({"prompt":"a über\n","return_token_strs":true})").at("token_strs"),
      (json::array{"a", "ĠÃ", "¼", "ber", "Ċ"}));
  EXPECT_EQ(error(post("/detokenize", R"({"tokens":[64,50257]})")).at("param"), "tokens");
  EXPECT_EQ(error(post("/detokenize", R"({"tokens":[-1]})")).at("param"), "tokens");
  EXPECT_EQ(error(post("/v1/score", R"({"ids":[50257]})")).at("param"), "ids");
  EXPECT_EQ(post_json("/tokenize", R"({"content":"<|endoftext|>"})").at("count"), 7);
  EXPECT_EQ(post_json("/detokenize", R"({"tokens":[64,50256]})").at("prompt"), "a<|endoftext|>");
  EXPECT_EQ(json::parse(get("/tokenizer_info").body).at("eos_token"), "<|endoftext|>");
  EXPECT_EQ(error(post("/tokenize", "{}")).at("param"), "content");
  EXPECT_EQ(error(post("/detokenize", R"({"tokens":"x"})")).at("param"), "tokens");
}

}  // namespace
}  // namespace chorus::server

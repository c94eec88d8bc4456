// The pure parts that become requests to the engine: targets, parameters, JSON bodies.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "chorus/engine.h"
#include "server/api/completions_request.h"
#include "server/api/generate_request.h"
#include "server/api/score_request.h"
#include "server/fixture.h"
#include "server/http/target.h"

namespace chorus::server {
namespace {

TEST(Target, IsDecodedOnce) {
  auto target = parse_target("/generate/a%20b%2Fc%2520+d?x=1+2%2B&x=%C3%BC&y");
  ASSERT_TRUE(target);
  EXPECT_EQ(target.assume_value().path, "/generate/a b/c%20+d");
  EXPECT_EQ(*target.assume_value().parameter("x"), "ü");
  EXPECT_EQ(*target.assume_value().parameter("y"), "");
  EXPECT_EQ(target.assume_value().parameter("z"), nullptr);
  EXPECT_TRUE(parse_target("/a?&&=").assume_value().parameters.empty());
  EXPECT_EQ(parse_target("/a?=1").assume_value().parameters.size(), 1u);
}

TEST(Target, RefusesWhatIsNotEncoded) {
  for (const char* wrong : {"/%", "/%2", "/%zz", "/\xC3\xBC", "/a?%", "x"}) {
    EXPECT_FALSE(parse_target(wrong)) << wrong;
  }
  EXPECT_EQ(parse_target("//a//b").assume_value().path, "//a//b");
}

ApiResult<GenerateRequest> generate(const std::string& query, const std::string& prompt = "Hi") {
  return parse_generate(prompt, parse_target("/generate/Hi?" + query).assume_value());
}

TEST(GenerateRequest, ReadsParameters) {
  auto parsed =
      generate("max_length=20&top_k=7&seed=0&device=cuda:0&model=m&temperature=0.5&top_p=0.9");
  ASSERT_TRUE(parsed);
  GenerateRequest& request = parsed.assume_value();
  EXPECT_EQ(request.length.max_length, 20);
  EXPECT_EQ(request.base.sampling.top_k, 7);
  EXPECT_TRUE(request.has_seed);
  EXPECT_EQ(request.base.sampling.seed, 0u);
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.base.sampling.top_p, 0.9);
  EXPECT_EQ(generate("seed=-1").assume_value().base.sampling.seed, UINT64_MAX);
  EXPECT_FALSE(generate("").assume_value().has_seed);
  EXPECT_EQ(generate("").assume_value().base.sampling.top_k, 50);
}

TEST(GenerateRequest, NamesWhatIsWrong) {
  const std::pair<const char*, const char*> wrong[] = {{"max_length=abc", "max_length"},
                                                       {"max_length=5&max_length=6", "max_length"},
                                                       {"max_length=1e3", "max_length"},
                                                       {"top_k=-1", "top_k"},
                                                       {"top_k=99999999999", "top_k"},
                                                       {"seed=x", "seed"},
                                                       {"seed=18446744073709551616", "seed"},
                                                       {"temperature=nan", "temperature"},
                                                       {"rng=mersenne", "rng"},
                                                       {"zz=1", "zz"},
                                                       {"zz=", "zz"},
                                                       {"n=2", "n"},
                                                       {"stop=x", "stop"},
                                                       {"max-length=5", "max-length"},
                                                       {"special=yes", "special"},
                                                       {"device=tpu", "device"},
                                                       {"device=cuda:", "device"},
                                                       {"device=cuda:1x", "device"},
                                                       {"prompt=x", "prompt"}};
  for (const auto& [query, param] : wrong) {
    auto parsed = generate(query);
    ASSERT_FALSE(parsed) << query;
    EXPECT_EQ(parsed.assume_error().status, 400) << query;
    EXPECT_EQ(parsed.assume_error().param, param) << parsed.assume_error().message;
  }
  EXPECT_EQ(generate("", "\xFF").assume_error().param, "prompt");
}

// What the origin's page sends when nothing was filled in.
TEST(GenerateRequest, AnEmptyParameterIsAnAbsentOne) {
  auto parsed = generate("max_length=&top_k=&seed=&device=&model=&top_p=&rng=&ignore_eos=&prompt=");
  ASSERT_TRUE(parsed) << parsed.assume_error().message;
  EXPECT_FALSE(parsed.assume_value().length.max_length);
  EXPECT_FALSE(parsed.assume_value().has_seed);
  EXPECT_EQ(parsed.assume_value().base.sampling.top_k, 50);
  EXPECT_EQ(parsed.assume_value().device, "cpu");
  EXPECT_EQ(generate("max_length=&max_length=7").assume_value().length.max_length, 7);
  auto body =
      parse_generate_body(R"({"prompt":"a","seed":"","model":"","device":"","top_k":null})");
  ASSERT_TRUE(body) << body.assume_error().message;
  EXPECT_FALSE(body.assume_value().has_seed);
  EXPECT_TRUE(parse_generate_body(R"({"prompt":""})"));
}

TEST(GenerateRequest, ThePromptMayBeAParameter) {
  auto query = [](const std::string& text) {
    return parse_generate(std::nullopt, parse_target("/generate?" + text).assume_value());
  };
  EXPECT_EQ(query("prompt=a+b%2F&seed=1").assume_value().prompt, "a b/");
  EXPECT_EQ(query("seed=1").assume_error().param, "prompt");
  EXPECT_EQ(query("prompt=%FF").assume_error().param, "prompt");
  EXPECT_EQ(generate("prompt=x", "").assume_value().prompt, "x");
}

TEST(GenerateRequest, TheBodyHasNoOtherFieldsEither) {
  for (const char* name : {"zz", "n", "stop", "max_tokens", "Prompt", "max-length"}) {
    auto parsed = parse_generate_body(std::string(R"({"prompt":"a",")") + name + R"(":null})");
    ASSERT_FALSE(parsed) << name;
    EXPECT_EQ(parsed.assume_error().param, name);
    EXPECT_THAT(parsed.assume_error().message, testing::HasSubstr("top_p"));
  }
  EXPECT_EQ(parse_generate_body(R"({"prompt":"a","device":"tpu"})").assume_error().param, "device");
  auto parsed = parse_generate_body(R"({"prompt":"a","device":"cuda:1","top_p":0.5})");
  ASSERT_TRUE(parsed) << parsed.assume_error().message;
  EXPECT_EQ(parsed.assume_value().base.sampling.top_p, 0.5);
}

TEST(GenerateRequest, MaxLengthCountsThePromptAndFitsTheBlock) {
  auto engine_request = [](const std::string& query,
                           const std::string& prompt) -> ApiResult<Request> {
    CHORUS_TRY(GenerateRequest asked, generate(query, prompt));
    return to_engine_request(asked, *word_engine());
  };
  EXPECT_EQ(engine_request("", "Hi").assume_value().max_length, 100);
  EXPECT_EQ(engine_request("max_length=1024", "Hi").assume_value().max_length, 1024);
  EXPECT_EQ(engine_request("max_length=1025", "Hi").assume_error().message,
            "max_length: expected 1 to 1024 (the model's block size), found 1025; past_block crop "
            "goes on past it");
  EXPECT_EQ(engine_request("max_length=1025&past_block=crop", "Hi").assume_value().max_length,
            1025);
  EXPECT_EQ(engine_request("max_length=0", "Hi").assume_error().param, "max_length");
  EXPECT_EQ(engine_request("max_new_tokens=20", "Hi").assume_value().max_length, 21);
  EXPECT_EQ(engine_request("max_new_tokens=1024", "Hi").assume_error().param, "max_new_tokens");
  EXPECT_EQ(engine_request("max_new_tokens=0", "Hi").assume_error().param, "max_new_tokens");
  EXPECT_EQ(engine_request("max_length=5&max_new_tokens=5", "Hi").assume_error().message,
            "max_new_tokens: expected max_length or max_new_tokens, found both");
  EXPECT_EQ(engine_request("", "").assume_value().prompt,
            std::vector<std::int32_t>{tokenizer::kEndOfText});
  std::string words;
  for (int i = 0; i < 150; ++i) words += " word";
  EXPECT_EQ(engine_request("", words).assume_error().message,
            "prompt: expected at most 100 tokens (the default length of prompt and result "
            "together), found 150; give max_length or max_new_tokens");
  EXPECT_EQ(engine_request("max_length=150", words).assume_value().max_length, 150);
  EXPECT_EQ(engine_request("max_length=149", words).assume_error().param, "max_length");
  std::string many;
  for (int i = 0; i < 1025; ++i) many += " word";
  EXPECT_EQ(engine_request("", many).assume_error().param, "prompt");
  EXPECT_EQ(engine_request("", std::string(200'000, 'a')).assume_error().param, "prompt");
}

TEST(GenerateRequest, NoTokenIsLongerThanATextIsRefusedFor) {
  std::size_t longest = 0;
  for (std::int32_t id = 0; id <= tokenizer::kEndOfText; ++id) {
    longest = std::max(longest, word_engine()->token_bytes(id).size());
  }
  EXPECT_EQ(word_engine()->most_token_bytes(), longest);
  std::string text(longest * 1024, 'a');
  EXPECT_TRUE(prompt_ids(text, false, *word_engine()))
      << "a text of the longest tokens must be tokenized";
  EXPECT_FALSE(prompt_ids(text + "a", false, *word_engine()));
}

TEST(CompletionsRequest, HasOpenAisDefaults) {
  auto parsed = parse_completions(R"({"prompt":"Hi","user":"u","unknown":[1],"seed":null})");
  ASSERT_TRUE(parsed);
  CompletionsRequest& request = parsed.assume_value();
  EXPECT_EQ(request.max_tokens, 16);
  EXPECT_EQ(request.base.sampling.top_k, 0);
  EXPECT_EQ(request.base.sampling.temperature, 1.0f);
  EXPECT_FALSE(request.has_seed);
  EXPECT_FALSE(request.stream);
  auto engine = to_engine_requests(request, *word_engine());
  ASSERT_TRUE(engine);
  EXPECT_EQ(engine.assume_value()[0].max_length, 17);
}

TEST(CompletionsRequest, TakesEveryKindOfPrompt) {
  auto count = [](const std::string& prompt) {
    auto parsed = parse_completions("{\"prompt\":" + prompt + "}");
    return parsed ? static_cast<int>(parsed.assume_value().prompts.size()) : -1;
  };
  EXPECT_EQ(count(R"("a")"), 1);
  EXPECT_EQ(count(R"("")"), 1);
  EXPECT_EQ(count(R"(["a","b"])"), 2);
  EXPECT_EQ(count("[1,2,3]"), 1);
  EXPECT_EQ(count("[[1,2],[3]]"), 2);
  for (const char* wrong : {"[]", "[[]]", "1", "{}", "[1.5]", "[1,\"a\"]", "[[1],[[\"a\"]]]",
                            "null", "[99999999999]", "[[[1]]]"}) {
    EXPECT_EQ(count(wrong), -1) << wrong;
  }
}

TEST(CompletionsRequest, ReadsEveryField) {
  auto parsed = parse_completions(
      R"({"prompt":"a","model":"m","max_tokens":5,"temperature":0,"top_p":0.5,"n":2,"best_of":2,
          "stream":true,"stream_options":{"include_usage":true},"logprobs":3,"echo":true,
          "stop":["x","y"],"presence_penalty":1,"frequency_penalty":-1,"logit_bias":{"50256":-100},
          "seed":-1,"suffix":null,"top_k":-1,"min_p":0.1,"repetition_penalty":1.5,
          "stop_token_ids":[13],"ignore_eos":true,"min_tokens":2,"include_stop_str_in_output":true,
          "prompt_logprobs":1,"rng":"torch-cuda"})");
  ASSERT_TRUE(parsed) << parsed.assume_error().message;
  const CompletionsRequest& request = parsed.assume_value();
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.base.n, 2);
  EXPECT_TRUE(request.include_usage);
  EXPECT_EQ(request.base.logprobs, 3);
  EXPECT_EQ(request.base.prompt_logprobs, 3) << "for the echo, the larger of the two";
  EXPECT_EQ(request.base.stop, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(request.base.stop_ids, std::vector<std::int32_t>{13});
  EXPECT_EQ(request.base.sampling.seed, UINT64_MAX);
  EXPECT_EQ(request.base.sampling.logit_bias[0].first, 50256);
  EXPECT_EQ(request.base.sampling.rng, RandomStream::kTorchCuda);
  EXPECT_EQ(request.base.min_tokens, 2);
}

TEST(CompletionsRequest, HalfACharacterIsTheReplacementCharacter) {
  auto parsed = parse_completions(R"({"prompt":["a\udbc0b","\ude00\ud83d"],"stop":"\ud83d"})");
  ASSERT_TRUE(parsed) << parsed.assume_error().message;
  const CompletionsRequest& request = parsed.assume_value();
  EXPECT_EQ(request.prompts[0].text,
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(request.prompts[1].text, "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(request.base.stop[0], "\xef\xbf\xbd");
}

// Every list has a bound that is told, and what is within it works.
TEST(CompletionsRequest, ListsAreBounded) {
  auto list = [](std::size_t count, const std::string& element) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + element;
    return "[" + text + "]";
  };
  auto biases = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
      text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
    return "{" + text + "}";
  };
  struct Case {
    const char* field;
    std::string most, more;
  };
  const Case cases[] = {
      {"stop", list(kMostStopStrings, "\"x\""), list(kMostStopStrings + 1, "\"x\"")},
      {"stop", "\"" + std::string(kMostStopBytes, 'x') + "\"",
       list(2, "\"" + std::string(kMostStopBytes / 2 + 1, 'x') + "\"")},
      {"stop_token_ids", list(kMostStopIds, "5"), list(kMostStopIds + 1, "5")},
      {"logit_bias", biases(kMostLogitBiases), biases(kMostLogitBiases + 1)},
      {"prompt", list(kMostChoices, "\"x\""), list(kMostChoices + 1, "\"x\"")},
  };
  for (const auto& [field, most, more] : cases) {
    auto parse = [name = std::string(field)](const std::string& value) {
      std::string prompt = name == "prompt" ? "" : R"("prompt":"a",)";
      return parse_completions("{" + prompt + "\"" + name + "\":" + value + "}");
    };
    EXPECT_TRUE(parse(most)) << field;
    auto refused = parse(more);
    ASSERT_FALSE(refused) << field;
    EXPECT_EQ(refused.assume_error().param, field);
  }
  auto empty = parse_completions(R"({"prompt":"a","stop":["","x",""]})");
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty.assume_value().base.stop, std::vector<std::string>{"x"});
}

TEST(CompletionsRequest, NamesWhatIsWrong) {
  const std::pair<const char*, const char*> wrong[] = {
      {R"("max_tokens":-1)", "max_tokens"},
      {R"("max_tokens":"5")", "max_tokens"},
      {R"("max_tokens":1.5)", "max_tokens"},
      {R"("temperature":-1)", "temperature"},
      {R"("temperature":"hot")", "temperature"},
      {R"("top_p":2)", "top_p"},
      {R"("n":0)", "n"},
      {R"("n":129)", "n"},
      {R"("best_of":3)", "best_of"},
      {R"("stream":1)", "stream"},
      {R"("stream_options":{})", "stream_options"},
      {R"("logprobs":-1)", "logprobs"},
      {R"("logprobs":true)", "logprobs"},
      {R"("echo":"yes")", "echo"},
      {R"("stop":[1])", "stop"},
      {R"("stop":5)", "stop"},
      {R"("logit_bias":{"a":1})", "logit_bias"},
      {R"("logit_bias":{"1":101})", "logit_bias"},
      {R"("seed":1.5)", "seed"},
      {R"("suffix":"x")", "suffix"},
      {R"("top_k":-2)", "top_k"},
      {R"("max_completion_tokens":-1)", "max_completion_tokens"},
      {R"("max_tokens":5,"max_completion_tokens":6)", "max_completion_tokens"},
      {R"("best_of":2,"n":1)", "best_of"},
      {R"("messages":[{"role":"user","content":"a"}])", "messages"},
      {R"("model":5)", "model"},
      {R"("rng":"x")", "rng"},
      {R"("stop_token_ids":["a"])", "stop_token_ids"}};
  for (const auto& [field, param] : wrong) {
    auto parsed = parse_completions(std::string(R"({"prompt":"a",)") + field + "}");
    ASSERT_FALSE(parsed) << field;
    EXPECT_EQ(parsed.assume_error().status, 400);
    EXPECT_EQ(parsed.assume_error().param, param) << parsed.assume_error().message;
  }
  for (const char* body :
       {"", "[]", "{", "{\"prompt\":\"\xFF\"}", R"({"prompt":"a","prompt":"b"})"}) {
    EXPECT_FALSE(parse_completions(body)) << body;
  }
  std::string nested = R"({"prompt":)";
  nested.append(1000, '[');
  EXPECT_FALSE(parse_completions(nested));
  EXPECT_EQ(parse_completions("{}").assume_error().param, "prompt");
}

// What would change the answer is refused by name; the values with which clients say "not" are taken.
TEST(CompletionsRequest, WhatIsNotDoneIsRefusedByName) {
  auto parse = [](const std::string& field, const std::string& value) {
    return parse_completions(R"({"prompt":"a",")" + field + "\":" + value + "}");
  };
  struct Case {
    const char* field;
    std::vector<const char*> refused, neutral;
  };
  const Case cases[] = {
      {"response_format",
       {R"({"type":"json_object"})", R"("json")", R"({"type":"json_schema"})"},
       {R"({"type":"text"})", R"("text")"}},
      {"guided_json", {"{\"type\":\"object\"}"}, {"{}", "false", "\"\""}},
      {"guided_regex", {R"("a+")"}, {}},
      {"guided_choice", {R"(["a","b"])"}, {"[]"}},
      {"guided_decoding_backend", {R"("outlines")"}, {}},
      {"tools", {R"([{"type":"function"}])", "1"}, {"[]"}},
      {"functions", {R"([{"name":"f"}])"}, {"[]"}},
      {"tool_choice", {R"("required")", "{}"}, {R"("none")", R"("auto")"}},
      {"truncate_prompt_tokens", {"10", "0", "-1"}, {"false"}},
      {"use_beam_search", {"true", "1"}, {"false"}},
      {"num_beams", {"2", "1.5"}, {"1", "0", "1.0"}},
      {"length_penalty", {"0.5"}, {"1", "1.0"}},
      {"do_sample", {"false"}, {"true"}},
      {"skip_special_tokens", {"false"}, {"true"}},
      {"repeat_penalty", {"1.1"}, {"1.0"}},
      {"n_predict", {"5"}, {}},
      {"max_new_tokens", {"5"}, {}},
      {"allowed_token_ids", {"[1]", "[]"}, {}},
      {"suffix", {R"("x")"}, {R"("")"}},
  };
  for (const auto& [field, refused, neutral] : cases) {
    for (const char* value : refused) {
      auto parsed = parse(field, value);
      ASSERT_FALSE(parsed) << field << " " << value;
      EXPECT_EQ(parsed.assume_error().status, 400);
      EXPECT_EQ(parsed.assume_error().param, field);
    }
    for (const char* value : neutral) EXPECT_TRUE(parse(field, value)) << field << " " << value;
    auto absent = parse(field, "null");
    ASSERT_TRUE(absent) << field;
    EXPECT_TRUE(absent.assume_value().ignored.empty()) << field;
  }
  EXPECT_TRUE(parse("user", "\"u\"").assume_value().ignored.empty());
  EXPECT_EQ(parse("temprature", "0").assume_value().ignored,
            std::vector<std::string>{"temprature"});
}

TEST(CompletionsRequest, BothNamesOfTheLengthAreOne) {
  for (const char* fields : {R"("max_completion_tokens":7)", R"("max_tokens":7)",
                             R"("max_tokens":7,"max_completion_tokens":7)",
                             R"("max_tokens":null,"max_completion_tokens":7)"}) {
    auto parsed = parse_completions(std::string(R"({"prompt":"a",)") + fields + "}");
    ASSERT_TRUE(parsed) << fields;
    EXPECT_EQ(parsed.assume_value().max_tokens, 7);
  }
}

TEST(CompletionsRequest, IdsThatHaveNoTextAreNamed) {
  const std::pair<const char*, const char*> wrong[] = {
      {R"("prompt":[50257])", "prompt"},
      {R"("prompt":[[1],[-1]])", "prompt"},
      {R"("prompt":"a","stop_token_ids":[-1])", "stop_token_ids"},
      {R"("prompt":"a","stop_token_ids":[5,50257])", "stop_token_ids"},
      {R"("prompt":"a","logit_bias":{"50257":1})", "logit_bias"},
      {R"("prompt":"a","logit_bias":{"5":1,"2000000000":-100})", "logit_bias"},
      {R"("prompt":"a","min_tokens":6,"max_tokens":5)", "min_tokens"},
      {R"("prompt":"a","min_tokens":17)", "min_tokens"}};
  for (const auto& [fields, param] : wrong) {
    auto parsed = parse_completions(std::string("{") + fields + "}");
    ASSERT_TRUE(parsed) << fields;
    auto requests = to_engine_requests(parsed.assume_value(), *word_engine());
    ASSERT_FALSE(requests) << fields;
    EXPECT_EQ(requests.assume_error().status, 400);
    EXPECT_EQ(requests.assume_error().param, param) << requests.assume_error().message;
  }
  auto generate = parse_generate_body(R"({"prompt_ids":[50257]})");
  EXPECT_EQ(to_engine_request(generate.assume_value(), *word_engine()).assume_error().param,
            "prompt_ids");
  generate = parse_generate_body(R"({"prompt_ids":[5],"max_length":5,"min_tokens":5})");
  EXPECT_EQ(to_engine_request(generate.assume_value(), *word_engine()).assume_error().param,
            "min_tokens");
}

TEST(CompletionsRequest, MayNotExceedTheBlock) {
  auto parsed = parse_completions(R"({"prompt":"a","max_tokens":1024})");
  ASSERT_TRUE(parsed);
  auto requests = to_engine_requests(parsed.assume_value(), *word_engine());
  ASSERT_FALSE(requests);
  EXPECT_EQ(requests.assume_error().param, "max_tokens");
  EXPECT_EQ(requests.assume_error().code, "context_length_exceeded");
  EXPECT_THAT(requests.assume_error().message,
              testing::HasSubstr("This model's maximum context length is 1024 tokens, however you "
                                 "requested 1025 tokens (1 in your prompt; 1024 for the "
                                 "completion). Please reduce your prompt; or completion length."));
  EXPECT_THAT(requests.assume_error().message, testing::HasSubstr("at most 1023"));
}

TEST(ScoreRequest, NamesWhatIsWrong) {
  EXPECT_EQ(parse_score("{}").assume_error().param, "text");
  EXPECT_EQ(parse_score(R"({"text":"a","ids":[1]})").assume_error().param, "text");
  EXPECT_EQ(parse_score(R"({"text":[1]})").assume_error().param, "text");
  EXPECT_EQ(parse_score(R"({"ids":["a"]})").assume_error().param, "ids");
  EXPECT_EQ(parse_score(R"({"text":"a","stride":0})").assume_error().param, "stride");
  EXPECT_EQ(parse_score(R"({"text":"a","words":1})").assume_error().param, "words");
  EXPECT_EQ(parse_score(R"({"text":"a","boundary":"x"})").assume_error().param, "boundary");
  EXPECT_EQ(parse_score(R"({"text":["a","b"]})").assume_value().texts.size(), 2u);
  EXPECT_EQ(parse_score(R"({"ids":[[1],[2,3]]})").assume_value().ids.size(), 2u);
}

}  // namespace
}  // namespace chorus::server

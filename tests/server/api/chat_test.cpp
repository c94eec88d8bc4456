// /v1/chat/completions: messages become the text of a completion, and its answer has OpenAI's form.

#include "server/api/chat_request.h"
#include "server/fixture.h"

namespace chorus::server {
namespace {

namespace json = boost::json;

ApiResult<CompletionsRequest> chat(const std::string& messages, const std::string& more = "") {
  auto parsed = parse_chat("{\"messages\":" + messages + more + "}");
  if (!parsed) return parsed;
  auto plain = ChatTemplate::make({ChatTemplateOption::Kind::kPlain}, *word_engine());
  if (auto made = use_template(parsed.assume_value(), *plain.assume_value()); !made) {
    return made.assume_error();
  }
  return parsed;
}

TEST(ChatRequest, PlainJoinsTheContents) {
  auto text = [](const std::string& messages) {
    auto parsed = chat(messages);
    EXPECT_TRUE(parsed) << messages << parsed.assume_error().message;
    return parsed ? parsed.assume_value().prompts[0].text : "";
  };
  EXPECT_EQ(text(R"([{"role":"user","content":"Once"}])"), "Once");
  EXPECT_EQ(text(R"([{"role":"system","content":"A"},{"role":"user","content":"B","name":"n"},
                     {"role":"assistant","content":" C","tool_calls":[]},
                     {"role":"developer","content":""}])"),
            "A\nB\n C\n");
  EXPECT_EQ(text(R"([{"role":"user","content":[{"type":"text","text":"a"},
                     {"type":"text","text":"b"}]}])"),
            "a\nb");
  EXPECT_EQ(text(R"([{"role":"user","content":[]}])"), "");
}

TEST(ChatRequest, NamesWhatIsWrong) {
  for (const char* messages :
       {"[]", "null", "{}", "\"a\"", "[1]", "[{}]", R"([{"role":"user"}])",
        R"([{"role":"user","content":null}])", R"([{"role":"user","content":5}])",
        R"([{"role":"tool","content":"a"}])", R"([{"role":"User","content":"a"}])",
        R"([{"content":"a"}])", R"([{"role":"user","content":[{"type":"image_url"}]}])",
        R"([{"role":"user","content":[{"type":"text"}]}])",
        R"([{"role":"assistant","content":"a","tool_calls":[{"id":"x"}]}])"}) {
    auto parsed = chat(messages);
    ASSERT_FALSE(parsed) << messages;
    EXPECT_EQ(parsed.assume_error().status, 400);
    EXPECT_EQ(parsed.assume_error().param, "messages") << parsed.assume_error().message;
  }
  const std::pair<const char*, const char*> wrong[] = {
      {R"(,"logprobs":5)", "logprobs"},
      {R"(,"top_logprobs":5)", "top_logprobs"},
      {R"(,"logprobs":true,"top_logprobs":101)", "top_logprobs"},
      {R"(,"response_format":{"type":"json_object"})", "response_format"},
      {R"(,"tools":[{"type":"function"}])", "tools"},
      {R"(,"functions":[{}])", "functions"},
      {R"(,"echo":true)", "echo"},
      {R"(,"prompt":"a")", "prompt"},
      {R"(,"chat_template":"x")", "chat_template"},
      {R"(,"rank_and_entropy":true)", "rank_and_entropy"},
      {R"(,"reasoning_effort":"high")", "reasoning_effort"},
      {R"(,"n":0)", "n"}};
  for (const auto& [fields, param] : wrong) {
    auto parsed = chat(R"([{"role":"user","content":"a"}])", fields);
    ASSERT_FALSE(parsed) << fields;
    EXPECT_EQ(parsed.assume_error().param, param) << parsed.assume_error().message;
  }
  EXPECT_TRUE(chat(R"([{"role":"user","content":"a"}])",
                   R"(,"logprobs":false,"top_logprobs":0,"tools":[],"tool_choice":"none",
                      "response_format":{"type":"text"},"echo":false,"store":true,"modalities":["text"],
                      "add_generation_prompt":true,"chat_template_kwargs":{})"));
  EXPECT_TRUE(read_chat_template_option("plain"));
  EXPECT_FALSE(read_chat_template_option("plane"));
}

TEST(ChatRequest, WithoutALengthTheResultMayFillTheBlock) {
  auto length = [](const std::string& more) {
    auto parsed = chat(R"([{"role":"user","content":"a b"}])", more);
    return to_engine_requests(parsed.assume_value(), *word_engine());
  };
  EXPECT_EQ(length("").assume_value()[0].max_length, 1024);
  EXPECT_EQ(length(R"(,"max_completion_tokens":7)").assume_value()[0].max_length, 9);
  EXPECT_EQ(length(R"(,"past_block":"crop")").assume_value()[0].max_length, 1024);
  auto over = length(R"(,"max_tokens":1023)");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.assume_error().code, "context_length_exceeded");
  EXPECT_EQ(over.assume_error().param, "max_tokens");
  std::string words;
  for (int i = 0; i < 1100; ++i) words += " word";
  auto parsed = chat("[{\"role\":\"user\",\"content\":\"" + words + "\"}]");
  auto full = to_engine_requests(parsed.assume_value(), *word_engine());
  ASSERT_FALSE(full);
  EXPECT_EQ(full.assume_error().param, "messages");
  EXPECT_NE(full.assume_error().message.find("your messages resulted in 1100 tokens"),
            std::string::npos)
      << full.assume_error().message;
}

class ChatRoute : public ServerTest {
 protected:
  static constexpr const char* kMessages =
      R"("messages":[{"role":"system","content":"Hello"},{"role":"user","content":"there"}])";

  json::value ask(const std::string& fields) {
    return post_json("/v1/chat/completions", std::string("{") + kMessages + "," + fields + "}");
  }
  // The error of a 400.
  json::value refusal(const char* route, const std::string& fields) {
    HttpAnswer answer = post(route, std::string("{") + kMessages + "," + fields + "}");
    EXPECT_EQ(answer.status, 400) << answer.body;
    return parse(answer.body).at("error");
  }
  std::vector<json::value> stream(const std::string& fields) {
    HttpAnswer answer = post("/v1/chat/completions",
                             std::string("{") + kMessages + "," + fields + R"(,"stream":true})");
    EXPECT_EQ(answer.status, 200) << answer.body;
    std::vector<json::value> events;
    std::size_t begin = 0;
    for (std::size_t end; (end = answer.body.find("\n\n", begin)) != std::string::npos;
         begin = end + 2) {
      std::string event = answer.body.substr(begin + 6, end - begin - 6);
      if (event != "[DONE]") events.push_back(parse(event));
    }
    EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
    return events;
  }
};

TEST_F(ChatRoute, SaysWhatACompletionSays) {
  start({.chat_template = {ChatTemplateOption::Kind::kPlain}});
  const std::string fields = R"("max_tokens":12,"seed":3,"n":2)";
  json::value completion =
      post_json("/v1/completions", R"({"prompt":"Hello\nthere",)" + fields + "}");
  json::value whole = ask(fields);
  EXPECT_TRUE(whole.at("id").as_string().starts_with("chatcmpl-"));
  EXPECT_EQ(whole.at("object"), "chat.completion");
  EXPECT_EQ(whole.at("model"), "tiny");
  EXPECT_EQ(whole.at("usage").at("completion_tokens"), 24);
  std::vector<std::string> texts(2), roles(2), reasons(2);
  std::vector<json::value> events = stream(fields + R"(,"stream_options":{"include_usage":true})");
  EXPECT_EQ(events.back().at("usage").at("completion_tokens"), 24);
  events.pop_back();
  for (const json::value& event : events) {
    EXPECT_EQ(event.at("object"), "chat.completion.chunk");
    const json::value& choice = event.at("choices").at(0);
    auto index = static_cast<std::size_t>(choice.at("index").as_int64());
    const json::object& delta = choice.at("delta").as_object();
    if (delta.contains("role")) roles[index] += delta.at("role").as_string();
    if (delta.contains("content")) texts[index] += delta.at("content").as_string();
    if (!choice.at("finish_reason").is_null()) {
      reasons[index] += choice.at("finish_reason").as_string();
    }
  }
  for (std::size_t i : {0u, 1u}) {
    const json::value& choice = whole.at("choices").at(i);
    EXPECT_EQ(choice.at("message").at("role"), "assistant");
    EXPECT_EQ(choice.at("message").at("content"), completion.at("choices").at(i).at("text"));
    EXPECT_EQ(choice.at("finish_reason"), "length");
    EXPECT_TRUE(choice.at("logprobs").is_null());
    EXPECT_EQ(texts[i], std::string(choice.at("message").at("content").as_string()));
    EXPECT_EQ(roles[i], "assistant");
    EXPECT_EQ(reasons[i], "length");
  }
}

TEST_F(ChatRoute, LogprobsAreThoseOfTheCompletion) {
  start({.chat_template = {ChatTemplateOption::Kind::kPlain}});
  const std::string fields = R"("max_tokens":12,"seed":3,"rank_and_entropy":true,"logprobs":)";
  json::value columns =
      post_json("/v1/completions",
                R"({"prompt":"Hello\nthere","return_token_ids":true,)" + fields + "2}")
          .at("choices")
          .at(0)
          .at("logprobs");
  const std::string asked = fields + R"(true,"top_logprobs":2)";
  json::array rows = ask(asked).at("choices").at(0).at("logprobs").at("content").as_array(),
              streamed;
  ASSERT_EQ(rows.size(), 12u);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("token"), columns.at("tokens").at(i));
    EXPECT_EQ(rows[i].at("logprob"), columns.at("token_logprobs").at(i));
    EXPECT_EQ(rows[i].at("id"), columns.at("token_ids").at(i));
    EXPECT_EQ(rows[i].at("bytes"), columns.at("bytes").at(i));
    EXPECT_EQ(rows[i].at("rank"), columns.at("ranks").at(i));
    EXPECT_EQ(rows[i].at("entropy"), columns.at("entropies").at(i));
    ASSERT_EQ(rows[i].at("top_logprobs").as_array().size(), 2u);
    for (std::size_t top : {0u, 1u}) {
      EXPECT_EQ(rows[i].at("top_logprobs").at(top).at("id"),
                columns.at("top_tokens").at(i).at(top).at("id"));
    }
    std::string bytes;
    for (const json::value& byte : rows[i].at("bytes").as_array()) {
      bytes += static_cast<char>(byte.as_int64());
    }
    EXPECT_EQ(bytes, engine_->token_bytes(static_cast<std::int32_t>(rows[i].at("id").as_int64())));
  }
  for (const json::value& event : stream(asked)) {
    const json::value& logprobs = event.at("choices").at(0).at("logprobs");
    if (logprobs.is_null()) continue;
    for (const json::value& row : logprobs.at("content").as_array()) streamed.push_back(row);
  }
  EXPECT_EQ(json::serialize(streamed), json::serialize(rows));
}

TEST_F(ChatRoute, AStopStringCutsTextAndLogprobs) {
  start({.chat_template = {ChatTemplateOption::Kind::kPlain}});
  const std::string fields = R"("max_tokens":40,"seed":11,"logprobs":true)";
  std::string text(ask(fields).at("choices").at(0).at("message").at("content").as_string());
  std::size_t at = text.find(' ', 1);
  ASSERT_NE(at, std::string::npos) << text;
  json::value cut = ask(fields + R"(,"stop":" ")").at("choices").at(0);
  EXPECT_EQ(cut.at("finish_reason"), "stop");
  EXPECT_LT(cut.at("message").at("content").as_string().size(), text.size());
  std::size_t bytes = 0;
  const json::array& rows = cut.at("logprobs").at("content").as_array();
  for (const json::value& row : rows) bytes += row.at("bytes").as_array().size();
  std::size_t last = rows.empty() ? 0 : rows.back().at("bytes").as_array().size();
  EXPECT_LE(bytes - last, cut.at("message").at("content").as_string().size());
}

TEST_F(ChatRoute, ATemplateMakesTheTextThatIsContinued) {
  const std::string source =
      "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}"
      "{% if add_generation_prompt %}{{ prefix | default('A:') }}{% endif %}";
  start({.chat_template = {ChatTemplateOption::Kind::kGiven, source}});
  const std::string fields = R"("max_tokens":8,"seed":3)";
  auto text_of = [&](const std::string& more) {
    return ask(fields + more).at("choices").at(0).at("message").at("content");
  };
  auto completion = [&](const std::string& prompt) {
    return post_json("/v1/completions",
                     "{\"prompt\":\"" + prompt + "\",\"special\":true," + fields + "}")
        .at("choices")
        .at(0)
        .at("text");
  };
  const std::string said = "[system]Hello<|endoftext|>[user]there<|endoftext|>";
  EXPECT_EQ(text_of(""), completion(said + "A:"));
  EXPECT_EQ(text_of(R"(,"add_generation_prompt":false)"), completion(said));
  EXPECT_EQ(text_of(R"(,"chat_template_kwargs":{"prefix":"B"})"), completion(said + "B"));
  EXPECT_EQ(
      refusal("/v1/chat/completions", fields + R"(,"continue_final_message":true)").at("param"),
      "continue_final_message");

  json::value tokens = post_json("/tokenize", std::string("{") + kMessages + "}");
  EXPECT_EQ(tokens.at("tokens"),
            post_json("/tokenize", "{\"prompt\":\"" + said + "A:\"}").at("tokens"));
  EXPECT_EQ(refusal("/tokenize", R"("prompt":"a")").at("param"), "messages");
}

TEST_F(ChatRoute, WhatATemplateRaisesIsTheClientsMistake) {
  start({.chat_template = {ChatTemplateOption::Kind::kGiven,
                           "{% if messages[0].role != 'user' %}"
                           "{{ raise_exception('the user begins') }}{% endif %}"}});
  json::value error = refusal("/v1/chat/completions", R"("max_tokens":2)");
  EXPECT_EQ(error.at("param"), "messages");
  EXPECT_EQ(error.at("message"), "messages: the chat template: the user begins");
}

// A template may take a tenth of a second for a few bytes. The loop goes on meanwhile: who asks for something
// small on the same loop, and later, has the answer first. (On a busy machine now and then it does not.)
TEST_F(ChatRoute, AnExpensiveTemplateHoldsUpNobody) {
  ServerOptions options;
  options.io_threads = 1;
  options.chat_template = {ChatTemplateOption::Kind::kGiven,
                           "{% for a in messages %}{% for b in messages %}{% for c in messages %}"
                           "{% if a.role == b.content + c.content %}x{% endif %}"
                           "{% endfor %}{% endfor %}{% endfor %}"};
  start(std::move(options));
  std::string messages;
  for (int i = 0; i < 60; ++i) {
    messages += std::string(i > 0 ? "," : "") + R"({"role":"user","content":"a"})";
  }
  const std::string body = "{\"messages\":[" + messages + "]}";
  ASSERT_LT(body.size(), 16u * 1024);
  for (const char* target : {"/v1/chat/completions", "/tokenize"}) {
    int first = 0;
    for (int i = 0; i < 30 && first < 3; ++i) {
      HttpClient chat(server_->port()), small(server_->port());
      for (HttpClient* client : {&chat, &small}) {  // both are being served
        client->get("/plaintext");
        ASSERT_EQ(client->answer().status, 200);
      }
      chat.post(target, body);
      std::this_thread::sleep_for(std::chrono::milliseconds(3));  // it is being rendered
      small.get("/plaintext");
      ASSERT_EQ(small.answer().status, 200);
      if (!chat.has_input(0)) ++first;
      EXPECT_NE(chat.answer().status, 0);
    }
    EXPECT_EQ(first, 3) << target;
  }
}

TEST_F(ChatRoute, AModelWithoutATemplateStopsTheStart) {
  ServerOptions options{
      .port = 0, .chat_template = {ChatTemplateOption::Kind::kModel}, .log_level = "off"};
  auto load = [] {
    test::TinyModel model(word_config());
    return Engine::load(model.checkpoint(), {.threads = 1, .pin_threads = false});
  };
  start_with(std::move(options), {{"tiny", load}});
  auto ended = server_->wait();
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.assume_error().message.find("tiny: the model has no chat template"),
            std::string::npos)
      << ended.assume_error().message;
}

TEST_F(ChatRoute, WithoutATemplateThe404SaysWhatToUse) {
  start();
  HttpAnswer answer = post("/v1/chat/completions", "{}");
  EXPECT_EQ(answer.status, 404);
  EXPECT_NE(answer.body.find("/v1/completions"), std::string::npos);
  EXPECT_NE(answer.body.find("--chat-template"), std::string::npos);
  EXPECT_EQ(get("/v1/chat/completions").status, 405);
}

}  // namespace
}  // namespace chorus::server

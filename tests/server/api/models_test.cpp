// Several models in one server: each has its own tokenizer, vocabulary and end of text, and what one
// is asked for never comes from another.
#include <string>
#include <vector>

#include "chorus/engine.h"
#include "server/fixture.h"
#include "tokenizer/characters.h"

namespace chorus::server {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

// GPT-2's tokenizer, one of three characters, and none.
class SeveralModels : public ServerTest {
 protected:
  void SetUp() override {
    start_with(quiet(), {{"words", [] { return loaded(word_config(), {}); }},
                         {"letters", [] { return loaded(of(3), letters()); }},
                         {"bare", [] { return loaded(of(40), nullptr); }}});
    for (int i = 0; i < kPatience && server_->is_loading(); ++i) pause();
  }

  json::value ask(const std::string& target, const std::string& model, const std::string& fields) {
    return post_json(target, R"({"model":")" + model + "\"," + fields + "}");
  }
  std::string refused(const std::string& target, const std::string& model,
                      const std::string& fields) {
    HttpAnswer answer = post(target, R"({"model":")" + model + "\"," + fields + "}");
    EXPECT_EQ(answer.status, 400) << answer.body;
    return std::string(error(answer).at("message").as_string());
  }

 private:
  static ServerOptions quiet() {
    ServerOptions options;
    options.port = 0;
    options.log_level = "off";
    return options;
  }
  static checkpoint::ModelConfig of(std::int64_t vocab_size) {
    checkpoint::ModelConfig config = test::odd_config();
    config.vocab_size = vocab_size;
    return config;
  }
  static std::shared_ptr<const tokenizer::Tokenizer> letters() {
    return tokenizer::Characters::make({{0, "x"}, {1, "y"}, {2, "ü"}}).assume_value();
  }
  // With a tokenizer, or none; GPT-2's stays where none is given at all.
  static Result<std::unique_ptr<Engine>> loaded(
      const checkpoint::ModelConfig& config,
      std::optional<std::shared_ptr<const tokenizer::Tokenizer>> tokenizer) {
    test::TinyModel model(config);
    if (tokenizer) model.checkpoint().tokenizer = *tokenizer;
    if (tokenizer && *tokenizer == nullptr) model.checkpoint().no_tokenizer = "it has no tokenizer";
    return Engine::load(model.checkpoint(), {.threads = 1, .pin_threads = false});
  }
};

TEST_F(SeveralModels, EachReadsTextsWithItsOwnTokenizer) {
  const std::string text = R"("content":"xyü")";
  EXPECT_EQ(ask("/tokenize", "letters", text).at("tokens"), json::value({0, 1, 2}));
  json::value words = ask("/tokenize", "words", text).at("tokens");
  EXPECT_EQ(words, post_json("/tokenize", "{" + text + "}").at("tokens")) << "the first by default";
  EXPECT_NE(words, json::value({0, 1, 2}));
  EXPECT_THAT(refused("/tokenize", "bare", text), HasSubstr("it has no tokenizer"));
  EXPECT_THAT(refused("/tokenize", "letters", R"("content":"xyz")"), HasSubstr("\"z\""));

  EXPECT_EQ(ask("/detokenize", "letters", R"("tokens":[2,0])").at("content"), "üx");
  EXPECT_EQ(ask("/detokenize", "words", R"("tokens":[2,0])").at("content"), "#!");
}

TEST_F(SeveralModels, EachWritesWithItsOwn) {
  json::value letters =
      ask("/v1/completions", "letters", R"("prompt":"xü","max_tokens":20,"seed":1,"echo":true)");
  std::string text(letters.at("choices").at(0).at("text").as_string());
  EXPECT_TRUE(text.starts_with("xü")) << text;
  EXPECT_EQ(text.find_first_not_of("xy\xC3\xBC"), std::string::npos) << text;
  EXPECT_EQ(letters.at("usage").at("completion_tokens"), 20) << "it has no end of text";

  EXPECT_THAT(refused("/v1/completions", "bare", R"("prompt":"xy")"),
              HasSubstr("it has no tokenizer"));
  json::value bare = ask("/v1/completions", "bare", R"("prompt":[1,2],"max_tokens":3,"seed":1)");
  EXPECT_THAT(std::string(bare.at("choices").at(0).at("text").as_string()), HasSubstr("<|id "));
  EXPECT_THAT(refused("/v1/completions", "letters", R"("prompt":[3])"), HasSubstr("3"));
  EXPECT_THAT(refused("/v1/completions", "letters", R"("prompt":"")"), HasSubstr("bos_token_id"));
  EXPECT_EQ(ask("/v1/completions", "words", R"("prompt":"","max_tokens":1)")
                .at("usage")
                .at("prompt_tokens"),
            1);
}

TEST_F(SeveralModels, EachScoresItsOwn) {
  EXPECT_EQ(ask("/v1/score", "letters", R"("text":"xyx")").at("results").at(0).at("ids"),
            json::value({0, 1, 0}));
  EXPECT_THAT(refused("/v1/score", "bare", R"("text":"xyx")"), HasSubstr("it has no tokenizer"));
}

}  // namespace
}  // namespace chorus::server

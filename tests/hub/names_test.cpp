#include "hub/names.h"

#include <gtest/gtest.h>

#include "hub/hub.h"

namespace chorus::hub {
namespace {

TEST(ModelName, ShortNamesLeadToTheirRepositories) {
  auto url = [](const char* name, const char* file) {
    return parse_model_name(name).assume_value().url("https://h", file);
  };
  EXPECT_EQ(url("gpt2", "config.json"), "https://h/openai-community/gpt2/resolve/main/config.json");
  EXPECT_EQ(url("gpt2-xl", "f"), "https://h/openai-community/gpt2-xl/resolve/main/f");
  EXPECT_EQ(url("distilgpt2", "f"), "https://h/distilbert/distilgpt2/resolve/main/f");
  EXPECT_EQ(url("parallelopedia", "model_19072.pt"),
            "https://h/datasets/trentnelson/parallelopedia-data-gpt2/resolve/main/model_19072.pt");
}

TEST(ModelName, HubNameTakesARevisionWithItsOwnCacheFolder) {
  Source main = parse_model_name("hf:some.one/model_2").assume_value();
  EXPECT_EQ(main.cache_folder(), "some.one--model_2");
  Source other = parse_model_name("hf:some.one/model_2@v1.0").assume_value();
  EXPECT_EQ(other.cache_folder(), "some.one--model_2@v1.0");
  EXPECT_EQ(other.url("http://h", "f"), "http://h/some.one/model_2/resolve/v1.0/f");
}

TEST(ModelName, NothingThatCouldLeaveTheCacheOrChangeTheUrlIsLetThrough) {
  for (const char* name :
       {"hf:",         "hf:gpt2",      "hf:/gpt2",   "hf:a/",     "hf:../b",  "hf:a/..",
        "hf:a/b/c",    "hf:a/../../b", "hf:.a/b",    "hf:a/.b",   "hf:a/b@",  "hf:a/b@..",
        "hf:a/b@../c", "hf:a/b@x/y",   "hf:a/b@c@d", "hf:a/b?x",  "hf:a/b#x", "hf:a/b%2e",
        "hf:a b/c",    "hf:a\\b/c",    "hf:a/b\n",   "hf:a--b/c", "hf:-a/b",  "hf:a@b/c"}) {
    Result<Source> source = parse_model_name(name);
    ASSERT_FALSE(source) << name;
    EXPECT_EQ(source.assume_error().code, ErrorCode::kInvalidArgument) << name;
    EXPECT_NE(source.assume_error().message.find("hf:owner/name"), std::string::npos);
  }
  EXPECT_FALSE(parse_model_name("hf:a/" + std::string(97, 'b')));
}

TEST(ModelName, UnknownNameIsRefusedWithTheKnownOnes) {
  Result<Source> source = parse_model_name("gpt3");
  ASSERT_FALSE(source);
  EXPECT_EQ(
      source.assume_error().message,
      "model name \"gpt3\" is not known; known names: gpt2, gpt2-medium, gpt2-large, gpt2-xl, "
      "distilgpt2, parallelopedia, hf:owner/name");
}

TEST(ModelName, PathsAreNotNames) {
  EXPECT_TRUE(is_model_name("gpt2"));
  EXPECT_TRUE(is_model_name("hf:owner/name"));
  EXPECT_FALSE(is_model_name("./gpt2"));
  EXPECT_FALSE(is_model_name("model.pt"));
  EXPECT_FALSE(is_model_name(""));
}

}  // namespace
}  // namespace chorus::hub

// Where a folder's chat template is found.

#include "checkpoint/chat_template.h"

#include <gtest/gtest.h>

#include "support/scratch_folder.h"

namespace chorus::checkpoint {
namespace {

class ReadChatTemplate : public testing::Test {
 protected:
  void write(const char* name, const std::string& text) { folder_.write(name, text); }
  std::string found() {
    auto result = read_chat_template(folder_.path());
    return result ? result.assume_value() : "ERROR " + result.assume_error().message;
  }
  test::ScratchFolder folder_;
};

TEST_F(ReadChatTemplate, LooksWhereTransformersDoes) {
  EXPECT_EQ(found(), "");
  write("tokenizer_config.json", R"({"tokenizer_class":"GPT2Tokenizer"})");
  EXPECT_EQ(found(), "");
  write("tokenizer_config.json", R"({"chat_template":"{{ a }}"})");
  EXPECT_EQ(found(), "{{ a }}");
  write("tokenizer_config.json",
        R"({"chat_template":[{"name":"tools","template":"t"},{"name":"default","template":"d"}]})");
  EXPECT_EQ(found(), "d");
  write("chat_template.json", R"({"chat_template":"of its own"})");
  EXPECT_EQ(found(), "of its own");
  write("chat_template.jinja", "{# a file #}\n");
  EXPECT_EQ(found(), "{# a file #}\n");
}

TEST_F(ReadChatTemplate, OddValuesAreNone) {
  for (const char* text :
       {R"({"chat_template":null})", R"({"chat_template":5})", R"({"chat_template":[]})",
        R"({"chat_template":[1,{"name":"default"},{"name":"x","template":"t"}]})"}) {
    write("tokenizer_config.json", text);
    EXPECT_EQ(found(), "") << text;
  }
  write("tokenizer_config.json", "{");
  EXPECT_NE(found().find("tokenizer_config.json"), std::string::npos);
}

}  // namespace
}  // namespace chorus::checkpoint

// Ids that tiktoken's `gpt2` gave, for texts of many kinds.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "support/shared_data.h"
#include "tokenizer/tokenizer.h"

namespace chorus::tokenizer {
namespace {

TEST(Goldens, All2000GiveTiktokensIdsAndDecodeToTheirTexts) {
  CHORUS_NEEDS_SHARED("tokenizer/goldens.jsonl");
  const Tokenizer& gpt2 = *Tokenizer::gpt2();
  std::ifstream file(test::shared_path("tokenizer/goldens.jsonl"));
  std::string line;
  int count = 0;
  for (; std::getline(file, line); ++count) {
    boost::json::value golden = boost::json::parse(line);
    std::string text = boost::json::value_to<std::string>(golden.at("text"));
    auto ids = boost::json::value_to<std::vector<std::int32_t>>(golden.at("ids"));
    Special special = golden.at("special").as_bool() ? Special::kRecognise : Special::kAsText;
    EXPECT_EQ(gpt2.encode(text, special).assume_value(), ids) << "line " << count + 1;
    EXPECT_EQ(gpt2.decode(ids), text) << "line " << count + 1;
  }
  EXPECT_EQ(count, 2000);
}

}  // namespace
}  // namespace chorus::tokenizer

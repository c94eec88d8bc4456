#include "tokenizer/merger.h"

#include <gtest/gtest.h>

#include <climits>
#include <cstddef>
#include <random>
#include <string>
#include <utility>

#include "core/assets.h"
#include "tokenizer/byte_level_bpe.h"

namespace chorus::tokenizer {
namespace {

using Ids = std::vector<std::int32_t>;

// tiktoken's rule, straight from its definition: while the bytes of two neighbours joined are a
// token, join the two whose token has the lowest id, the leftmost of equals.
Ids slow_merge(const Vocabulary& vocabulary, const std::string& piece) {
  std::vector<std::string> parts;
  for (char byte : piece) parts.emplace_back(1, byte);
  while (true) {
    std::int32_t best = INT_MAX;
    std::size_t where = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      std::int32_t token = vocabulary.token_of(parts[i] + parts[i + 1]);
      if (token == kNoToken || token >= best) continue;
      best = token;
      where = i;
    }
    if (best == INT_MAX) break;
    parts[where] += parts[where + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
  Ids ids;
  for (const std::string& part : parts) ids.push_back(vocabulary.token_of(part));
  return ids;
}

class MergerTest : public testing::Test {
 protected:
  Ids merge(std::string_view piece) {
    Ids ids;
    merger_.merge(piece, ids);
    return ids;
  }

  std::shared_ptr<const ByteLevelBpe> tokenizer_ =
      ByteLevelBpe::gpt2(embedded_vocab_bpe()).assume_value();
  const Vocabulary& vocabulary_ = tokenizer_->vocabulary();
  Merger merger_{vocabulary_};
};

TEST_F(MergerTest, EveryTokenIsMadeByItsOwnMerges) {
  for (std::int32_t id = 0; id < 50256; ++id) {
    ASSERT_EQ(merge(vocabulary_.bytes_of(id)), Ids{id});
  }
}

TEST_F(MergerTest, AgreesWithTheSlowDefinition) {
  std::mt19937 random(5);
  const std::string alphabets[] = {"a",         "ab",
                                   "aehinrst ", "=-",
                                   "01",        "\xC3\xA9\xE4\xB8\xAD",
                                   " \n",       "AaBbCcDdEeFfGgHhIiLlMmNnOoRrSsTtUu"};
  for (const std::string& alphabet : alphabets) {
    for (int round = 0; round < 150; ++round) {
      std::string piece(random() % 100, ' ');
      for (char& byte : piece) byte = alphabet[random() % alphabet.size()];
      ASSERT_EQ(merge(piece), slow_merge(vocabulary_, piece)) << piece;
    }
  }
}

TEST_F(MergerTest, AppendsToWhatIsThere) {
  Ids ids = {7};
  merger_.merge("", ids);
  merger_.merge("!", ids);
  merger_.merge("!", ids);
  EXPECT_EQ(ids, (Ids{7, 0, 0}));
}

}  // namespace
}  // namespace chorus::tokenizer

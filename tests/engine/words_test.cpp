// Words out of tokens: which tokens are a word's, and what its probability is made of. That the
// numbers are PyTorch's is tested in tests/torch.
#include "chorus/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "chorus/engine.h"
#include "support/tiny_model.h"
#include "tokenizer/characters.h"

namespace chorus {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::unique_ptr<Engine> engine_of(test::TinyModel& model) {
  return std::move(
      Engine::load(model.checkpoint(), {.threads = 1, .pin_threads = false}).assume_value());
}

// GPT-2's tokenizer over random weights, in a block of 77.
class WordScores : public testing::Test {
 protected:
  WordScores() {
    checkpoint::ModelConfig config = test::odd_config();
    config.vocab_size = 50257;
    test::TinyModel model(config);
    engine_ = engine_of(model);
  }

  std::vector<WordScore> words(const std::vector<std::int32_t>& ids,
                               WordBoundary boundary = WordBoundary::kLeading, bool bos = true) {
    ScoreRequest request{.ids = ids, .bos = bos};
    request.boundaries = boundary == WordBoundary::kCorrected;
    score_ = engine_->score(request).assume_value();
    return word_scores(*engine_, ids, score_, boundary);
  }
  std::vector<std::string> texts(const std::string& text) {
    std::vector<std::string> result;
    for (const WordScore& word : words(encode(text))) result.push_back(word.text);
    return result;
  }
  std::vector<std::int32_t> encode(const std::string& text) const {
    return engine_->encode(text, true).assume_value();
  }

  std::unique_ptr<Engine> engine_;
  Score score_;
};

TEST_F(WordScores, AreBetweenWhiteSpaceWithTheirPunctuation) {
  EXPECT_THAT(texts("The cat, \"so\" it's\tsaid.\n\nEnd "),
              ElementsAre("The", "cat,", "\"so\"", "it's", "said.", "End"));
  EXPECT_THAT(texts("a\u00A0b\u3000c\u2028d"), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(texts("one"), ElementsAre("one"));
  EXPECT_THAT(texts(" \n "), IsEmpty());
  EXPECT_THAT(texts("x<|endoftext|>y"), ElementsAre("x", "y")) << "an end of text is no letter";
  EXPECT_THAT(texts("🦉🦉 日本"), ElementsAre("🦉🦉", "日本"));
}

TEST_F(WordScores, HaveEveryTokenUpToTheirLast) {
  std::string text = "  It's  fine\n\nreally 🦉! ";
  std::vector<std::int32_t> ids = encode(text);
  std::vector<WordScore> found = words(ids);
  ASSERT_EQ(found.size(), 4u);
  std::size_t next = 0;
  for (const WordScore& word : found) {
    EXPECT_EQ(word.first_token, next);
    next = word.end_token;
    EXPECT_EQ(text.substr(word.begin, word.end - word.begin), word.text);
    double sum = 0.0;
    for (std::size_t i = word.first_token; i < word.end_token; ++i) sum += score_.logprobs[i];
    EXPECT_DOUBLE_EQ(*word.logprob, sum);
  }
  EXPECT_EQ(next, ids.size() - 1) << "white space at the end belongs to no word";
}

// As with bos: the token that ends a text is the next one's beginning.
TEST_F(WordScores, WhatStandsBehindAnEndOfTextIsTheFirstWordOfOne) {
  std::int32_t end = engine_->info().eos.front();
  std::vector<std::int32_t> first = encode("The cat "), second = encode("It sat"), both;
  both.push_back(end);
  both.insert(both.end(), first.begin(), first.end());
  both.push_back(end);
  both.insert(both.end(), second.begin(), second.end());
  for (WordBoundary boundary : {WordBoundary::kCorrected, WordBoundary::kLeading}) {
    std::vector<WordScore> with_bos = words(first, boundary);
    std::vector<WordScore> found = words(both, boundary, false);
    ASSERT_EQ(found.size(), 4u);
    for (std::size_t i : {0u, 1u}) {
      EXPECT_EQ(found[i].text, with_bos[i].text);
      EXPECT_EQ(found[i].first_token, with_bos[i].first_token + 1);
      EXPECT_NEAR(*found[i].logprob, *with_bos[i].logprob, 1e-9);
    }
    EXPECT_EQ(found[2].first_token, first.size() + 2);
    double sum = 0.0;
    for (std::size_t i : {2u, 3u}) {
      sum += *found[i].logprob;
      for (std::size_t t = found[i].first_token; t < found[i].end_token; ++t) {
        sum -= score_.logprobs[t];
      }
    }
    EXPECT_NEAR(sum, boundary == WordBoundary::kLeading ? 0.0 : score_.boundaries.back(), 1e-9);
  }
}

TEST(JoinedWords, ATokenOfTwoWordsJoinsThem) {
  checkpoint::ModelConfig config = test::odd_config();
  config.vocab_size = 3;
  test::TinyModel model(config);
  model.checkpoint().tokenizer =
      tokenizer::Characters::make({{0, "a"}, {1, " "}, {2, "New York"}}).assume_value();
  std::unique_ptr<Engine> engine = engine_of(model);
  std::vector<std::int32_t> ids = {0, 1, 2, 0, 1, 0};  // "a New Yorka a"
  Score score = engine->score({.ids = ids}).assume_value();
  std::vector<WordScore> found = word_scores(*engine, ids, score, WordBoundary::kLeading);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[1].text, "New Yorka");
  EXPECT_EQ(found[1].first_token, 1u);
  EXPECT_EQ(found[1].end_token, 4u);
  EXPECT_DOUBLE_EQ(*found[1].logprob, score.logprobs[1] + score.logprobs[2] + score.logprobs[3]);
}

TEST_F(WordScores, CorrectedIsWithTheEndBehindAndWithoutTheOneInFront) {
  std::vector<std::int32_t> ids = encode("The cat sat. Then it went home");
  std::vector<WordScore> leading = words(ids);
  std::vector<WordScore> corrected = words(ids, WordBoundary::kCorrected);
  ASSERT_EQ(score_.boundaries.size(), ids.size() + 1);
  ASSERT_EQ(leading.size(), corrected.size());
  double sum = 0.0, leading_sum = 0.0;
  for (std::size_t i = 0; i < leading.size(); ++i) {
    double front = i == 0 ? 0.0 : score_.boundaries[leading[i].first_token];
    EXPECT_NEAR(*corrected[i].logprob,
                *leading[i].logprob + score_.boundaries[leading[i].end_token] - front, 1e-12);
    EXPECT_LE(*corrected[i].logprob, 0.0);
    sum += *corrected[i].logprob;
    leading_sum += *leading[i].logprob;
  }
  EXPECT_NEAR(sum, leading_sum + score_.boundaries.back(), 1e-9) << "all ends in between cancel";
}

TEST_F(WordScores, AWordWithATokenThatHasNoScoreHasNone) {
  std::vector<WordScore> found = words(encode("Unbelievably odd"), WordBoundary::kCorrected, false);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].logprob, std::nullopt);
  EXPECT_TRUE(found[1].logprob.has_value());
}

// A text of several windows: each boundary is what its tokens alone give.
TEST_F(WordScores, BoundariesOfWindowsAreThoseOfTheirTextsAlone) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += i % 3 == 0 ? " tree" : " or";
  std::vector<std::int32_t> ids = encode(text);
  Score plain = engine_->score({.ids = ids, .stride = 30}).assume_value();
  Score whole = engine_->score({.ids = ids, .stride = 30, .boundaries = true}).assume_value();
  EXPECT_EQ(whole.logprobs, plain.logprobs) << "who asks for boundaries gets the same bits";
  EXPECT_EQ(whole.contexts, plain.contexts);
  ASSERT_EQ(whole.boundaries.size(), ids.size() + 1);
  for (std::size_t i : {1u, 60u, 77u, 78u, 150u, 199u}) {
    auto context = static_cast<std::size_t>(whole.contexts[i]);
    std::vector<std::int32_t> alone(ids.begin() + static_cast<std::ptrdiff_t>(i - context),
                                    ids.begin() + static_cast<std::ptrdiff_t>(i));
    Score score = engine_->score({.ids = alone, .boundaries = true}).assume_value();
    EXPECT_EQ(score.boundaries.back(), whole.boundaries[i]) << i;
  }
}

TEST_F(WordScores, ATextThatFillsTheBlockHasItsLastBoundaryToo) {
  std::vector<std::int32_t> ids(77, 11);
  Score score = engine_->score({.ids = ids, .boundaries = true}).assume_value();
  ASSERT_EQ(score.boundaries.size(), 78u);
  EXPECT_LT(score.boundaries.back(), 0.0);
  EXPECT_TRUE(std::isfinite(score.boundaries.back()));
}

// Every text of a model of two letters and a space: what its words' probabilities must add up to.
TEST(CorrectedWords, ProbabilitiesOfAllWordsAndOfLongerOnesAddUpToOne) {
  checkpoint::ModelConfig config = test::odd_config();
  config.vocab_size = 4;
  test::TinyModel model(config);
  model.checkpoint().tokenizer =
      tokenizer::Characters::make({{0, " "}, {1, "x"}, {2, "y"}, {3, "\n"}}).assume_value();
  std::unique_ptr<Engine> engine = engine_of(model);
  // Behind "x", given that this word has ended: a space or a line's end, then letters, then an end.
  // Words behind two or more spaces, and those of more than four letters, are what is left.
  double words = 0.0, others = 0.0;
  auto score_of = [&](std::vector<std::int32_t> ids) {
    ids.insert(ids.begin(), 1);
    return engine->score({.ids = ids, .boundaries = true}).assume_value();
  };
  double ended = score_of({}).boundaries.back();
  for (std::int32_t space : {0, 3}) {
    std::vector<std::vector<std::int32_t>> begun = {{space}};
    for (int length = 0; length <= 4; ++length) {
      std::vector<std::vector<std::int32_t>> longer;
      for (const std::vector<std::int32_t>& ids : begun) {
        Score score = score_of(ids);
        double prefix = -ended;
        for (std::size_t i = 1; i < score.logprobs.size(); ++i) prefix += score.logprobs[i];
        if (length == 0) {
          others += std::exp(prefix + score.boundaries.back());  // more white space
        } else {
          std::vector<std::int32_t> all = ids;
          all.insert(all.begin(), 1);
          words +=
              std::exp(*word_scores(*engine, all, score, WordBoundary::kCorrected).back().logprob);
        }
        if (length == 4) {
          others += std::exp(prefix) * (1.0 - std::exp(score.boundaries.back()));  // more letters
          continue;
        }
        for (std::int32_t letter : {1, 2}) {
          longer.push_back(ids);
          longer.back().push_back(letter);
        }
      }
      begun = std::move(longer);
    }
  }
  EXPECT_NEAR(words + others, 1.0, 1e-6);
  EXPECT_GT(words, 0.05);
}

}  // namespace
}  // namespace chorus

#include "chorus/words.h"

#include <algorithm>

#include "chorus/engine.h"
#include "core/utf8.h"
#include "tokenizer/word_ends.h"

namespace chorus {
namespace {

struct Token {
  std::size_t begin, end;  // bytes of the joined text
  bool ends_text;
};

struct Run {
  std::size_t begin, end;  // bytes of the joined text that are no white space
};

// The tokens' joined text. What ends a text separates words as white space does.
class JoinedText {
 public:
  JoinedText(const Engine& engine, std::span<const std::int32_t> ids) {
    const std::vector<std::int32_t>& eos = engine.info().eos;
    std::size_t piece = 0;  // where the text since the last end begins
    for (std::int32_t id : ids) {
      std::size_t begin = text_.size();
      bool is_end = std::find(eos.begin(), eos.end(), id) != eos.end();
      if (is_end) find_runs(piece);
      text_ += engine.token_bytes(id);
      if (is_end) piece = text_.size();
      tokens_.push_back({begin, text_.size(), is_end});
    }
    find_runs(piece);
  }

  const std::vector<Token>& tokens() const { return tokens_; }
  const std::vector<Run>& runs() const { return runs_; }
  std::string_view part(std::size_t begin, std::size_t end) const {
    return std::string_view(text_).substr(begin, end - begin);
  }

 private:
  // Of the text from `at` on.
  void find_runs(std::size_t at) {
    std::string_view text = text_;
    while (at < text.size()) {
      at += tokenizer::space_at_begin(text.substr(at));
      std::size_t begin = at;
      while (at < text.size() && tokenizer::space_at_begin(text.substr(at)) == 0) {
        at += first_utf8_unit(text.substr(at)).length;
      }
      if (at > begin) runs_.push_back({begin, at});
    }
  }

  std::string text_;
  std::vector<Token> tokens_;
  std::vector<Run> runs_;
};

// Whether the token at `i` is the first of a text.
bool begins_text(const JoinedText& text, std::size_t i) {
  return i == 0 || text.tokens()[i - 1].ends_text;
}

// The words' places, in order; each has all the tokens since the one before, or since a text's end.
std::vector<WordScore> find_words(const JoinedText& text) {
  const std::vector<Token>& tokens = text.tokens();
  std::vector<WordScore> words;
  std::size_t token = 0;  // the first that ends behind the run's begin
  for (const Run& run : text.runs()) {
    while (tokens[token].end <= run.begin) ++token;
    if (words.empty() || token >= words.back().end_token) {
      WordScore word{.text = {}, .begin = run.begin};
      word.first_token = token;
      std::size_t before = words.empty() ? 0 : words.back().end_token;
      while (word.first_token > before && !tokens[word.first_token - 1].ends_text) {
        --word.first_token;
      }
      words.push_back(std::move(word));
    }
    WordScore& word = words.back();
    word.end = run.end;
    word.text = replace_ill_formed(text.part(word.begin, word.end));
    std::size_t behind = token;
    while (behind < tokens.size() && tokens[behind].begin < run.end) ++behind;
    word.end_token = behind;
  }
  return words;
}

}  // namespace

const char* word_boundary_name(WordBoundary boundary) {
  return boundary == WordBoundary::kCorrected ? "corrected" : "leading";
}

Result<WordBoundary> parse_word_boundary(std::string_view name) {
  for (WordBoundary boundary : {WordBoundary::kCorrected, WordBoundary::kLeading}) {
    if (name == word_boundary_name(boundary)) return boundary;
  }
  return Error{ErrorCode::kInvalidArgument,
               "boundary: expected corrected or leading, found \"" + std::string(name) + "\""};
}

std::vector<WordScore> word_scores(const Engine& engine, std::span<const std::int32_t> ids,
                                   const Score& score, WordBoundary boundary) {
  JoinedText text(engine, ids);
  std::vector<WordScore> words = find_words(text);
  for (WordScore& word : words) {
    double sum = 0.0;
    bool is_whole = true;
    for (std::size_t i = word.first_token; i < word.end_token; ++i) {
      is_whole = is_whole && score.contexts[i] > 0;
      sum += score.logprobs[i];
    }
    if (boundary == WordBoundary::kCorrected) {
      sum += score.boundaries[word.end_token];
      if (!begins_text(text, word.first_token)) sum -= score.boundaries[word.first_token];
    }
    if (is_whole) word.logprob = sum;
  }
  return words;
}

}  // namespace chorus

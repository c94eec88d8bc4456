#include "tokenizer/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/error_text.h"
#include "core/printable.h"
#include "core/utf8.h"
#include "tokenizer/word_ends.h"

namespace chorus::tokenizer {
namespace {

constexpr std::size_t kMostContentBytes = 4 << 20;  // of all contents

}  // namespace

Result<AddedTokens> AddedTokens::make(std::vector<AddedToken> tokens) {
  AddedTokens result;
  std::ranges::stable_sort(tokens, {}, &AddedToken::id);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    bytes += tokens[i].content.size();
    if (result.by_id_.emplace(tokens[i].id, i).second) continue;
    return corrupt(fmt::format("added tokens {} and {} have the same id, {}",
                               in_quotes(tokens[i - 1].content), in_quotes(tokens[i].content),
                               tokens[i].id));
  }
  std::unordered_set<std::string_view> contents;
  for (const AddedToken& token : tokens) {
    if (contents.insert(token.content).second) continue;
    return corrupt("added token " + in_quotes(token.content) + " has two ids");
  }
  if (bytes > kMostContentBytes) {
    return corrupt(fmt::format("added tokens of {} bytes in all; expected at most {}", bytes,
                               kMostContentBytes));
  }
  result.tokens_ = std::move(tokens);
  result.plain_ = make_group(result.tokens_, false);
  result.normalized_ = make_group(result.tokens_, true);
  return Result<AddedTokens>(std::move(result));
}

AddedTokens::Group AddedTokens::make_group(const std::vector<AddedToken>& tokens, bool normalized) {
  Group group;
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].normalized != normalized || tokens[i].content.empty()) continue;
    words.emplace_back(tokens[i].content);
    group.tokens.push_back(i);
    if (!tokens[i].special) group.has_ordinary = true;
  }
  group.matcher = Matcher(words);
  return group;
}

void AddedTokens::split(std::string_view text, Special special, const Visitor& visitor) const {
  Visitor rest = visitor;
  rest.text = [&](std::string_view part) { split_by(normalized_, part, special, visitor); };
  split_by(plain_, text, special, rest);
}

void AddedTokens::split_by(const Group& group, std::string_view text, Special special,
                           const Visitor& visitor) const {
  bool may_match = group.has_ordinary || (special == Special::kRecognise && !group.tokens.empty());
  std::size_t done = 0;
  std::size_t spaces_end = 0;  // of white space that was looked at: nothing is looked at twice
  for (const Matcher::Match& match :
       may_match ? group.matcher.find(text) : std::vector<Matcher::Match>{}) {
    const AddedToken& token = tokens_[group.tokens[match.word]];
    if (token.special && special == Special::kAsText) continue;
    std::size_t begin = match.begin, end = match.begin + token.content.size();
    if (token.single_word &&
        (ends_in_word(text.substr(0, begin)) || begins_with_word(text.substr(end)))) {
      continue;
    }
    // What an earlier one took is gone.
    if (token.lstrip) {
      begin = begin > done ? begin - space_at_end(text.substr(done, begin - done)) : done;
    }
    if (token.rstrip) {
      if (end >= spaces_end) spaces_end = end + space_at_begin(text.substr(end));
      end = spaces_end;
    }
    if (done < begin) visitor.text(text.substr(done, begin - done));
    if (begin < end) visitor.token(token.id);
    done = end;
  }
  if (done < text.size()) visitor.text(text.substr(done));
}

const AddedToken* AddedTokens::find(std::int32_t id) const {
  auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

}  // namespace chorus::tokenizer

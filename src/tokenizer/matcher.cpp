#include "tokenizer/matcher.h"

#include <algorithm>

namespace chorus::tokenizer {

Matcher::Matcher(const std::vector<std::string_view>& words) {
  nodes_.emplace_back();
  for (std::size_t i = 0; i < words.size(); ++i) {
    add(words[i], static_cast<std::int32_t>(i));
    lengths_.push_back(words[i].size());
  }
  link();
}

std::uint32_t Matcher::child_of(std::uint32_t node, char byte) const {
  if (node == 0) return first_[static_cast<std::uint8_t>(byte)];
  std::uint32_t child = nodes_[node].child;
  while (child != 0 && nodes_[child].byte != byte) child = nodes_[child].sibling;
  return child;
}

std::uint32_t Matcher::step(std::uint32_t node, char byte) const {
  while (true) {
    std::uint32_t child = child_of(node, byte);
    if (child != 0 || node == 0) return child;
    node = nodes_[node].shorter;
  }
}

void Matcher::add(std::string_view word, std::int32_t number) {
  std::uint32_t node = 0;
  for (std::size_t i = word.size(); i-- > 0;) {
    std::uint32_t child = child_of(node, word[i]);
    if (child == 0) {
      child = static_cast<std::uint32_t>(nodes_.size());
      Node& made = nodes_.emplace_back();
      made.byte = word[i];
      if (node == 0) {
        first_[static_cast<std::uint8_t>(word[i])] = child;
      } else {
        made.sibling = nodes_[node].child;
        nodes_[node].child = child;
      }
    }
    node = child;
  }
  nodes_[node].word = number;
}

// Breadth first, so that what is shorter is linked already.
void Matcher::link() {
  std::vector<std::uint32_t> queue;
  std::copy_if(first_.begin(), first_.end(), std::back_inserter(queue),
               [](std::uint32_t child) { return child != 0; });
  for (std::size_t i = 0; i < queue.size(); ++i) {
    std::uint32_t node = queue[i];
    if (nodes_[node].word < 0) nodes_[node].word = nodes_[nodes_[node].shorter].word;
    for (std::uint32_t child = nodes_[node].child; child != 0; child = nodes_[child].sibling) {
      nodes_[child].shorter = step(nodes_[node].shorter, nodes_[child].byte);
      queue.push_back(child);
    }
  }
}

std::vector<Matcher::Match> Matcher::find(std::string_view text) const {
  std::vector<Match> matches;
  std::uint32_t node = 0;
  for (std::size_t i = text.size(); i-- > 0;) {
    node = step(node, text[i]);
    if (nodes_[node].word >= 0) matches.push_back({i, static_cast<std::size_t>(nodes_[node].word)});
  }
  std::reverse(matches.begin(), matches.end());
  std::size_t end = 0;
  std::erase_if(matches, [&](const Match& match) {
    if (match.begin < end) return true;
    end = match.begin + lengths_[match.word];
    return false;
  });
  return matches;
}

}  // namespace chorus::tokenizer

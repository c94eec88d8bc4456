// Finds words in a text: at each place the longest of those that begin there, from left to right,
// none overlapping the one before. Linear in the text and in the words, whatever they are (the
// automaton of Aho and Corasick, run from the text's end). It knows nothing of tokens. Immutable
// once built: any thread may search.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace chorus::tokenizer {

class Matcher {
 public:
  struct Match {
    std::size_t begin;
    std::size_t word;  // by its place in the list
  };

  // None of them empty; fewer than 2^31 bytes in all. Of equal words the last is found.
  explicit Matcher(const std::vector<std::string_view>& words);

  std::vector<Match> find(std::string_view text) const;

 private:
  // A node stands for the end of a word that was read backwards. Node 0 is the empty one.
  struct Node {
    std::uint32_t child = 0, sibling = 0;  // 0: none
    std::uint32_t shorter = 0;             // the longest other node that is an end of this one
    std::int32_t word = -1;                // the longest word that is an end of it, or -1
    char byte = 0;
  };

  std::uint32_t child_of(std::uint32_t node, char byte) const;
  std::uint32_t step(std::uint32_t node, char byte) const;
  void add(std::string_view word, std::int32_t number);
  void link();

  std::vector<Node> nodes_;
  std::array<std::uint32_t, 256> first_{};  // node 0's children, by byte
  std::vector<std::size_t> lengths_;
};

}  // namespace chorus::tokenizer

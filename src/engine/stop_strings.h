// Finds the first stop string in a stream of text, and holds back what could be the start of one.
// All are looked for in one pass (Knuth, Morris and Pratt 1977): a byte of text costs at most some
// steps for each string, amortised, however long they are.
//
// Thread contract: StopSet is immutable, any thread; StopStrings is one stream's, one thread at a
// time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace chorus::engine {

// The strings, made ready once for all samples of a request.
class StopSet {
 public:
  // Empty strings are ignored.
  explicit StopSet(const std::vector<std::string>& strings);

 private:
  friend class StopStrings;

  struct Pattern {
    std::string string;
    // For each length of a beginning that has matched: the longest shorter beginning that is its
    // end, from which to go on when the next byte does not match.
    std::vector<std::uint32_t> shorter;
    // How much of the string matches, one byte later.
    std::uint32_t next(std::uint32_t matched, char byte) const;
  };
  std::vector<Pattern> patterns_;
};

class StopStrings {
 public:
  // With `include`, the stop string itself is given out too.
  explicit StopStrings(std::shared_ptr<const StopSet> set, bool include = false);

  // Adds text; the part of all text so far that is now certain to stand before any stop string, and
  // was not given out yet. Of several that are complete with this text the one that begins first is
  // found; of those that begin together, the longest.
  std::string push(std::string_view text);
  // What was held back, when no more text comes.
  std::string finish();

  bool found() const { return found_; }  // from then on push() gives nothing

 private:
  std::shared_ptr<const StopSet> set_;
  std::vector<std::uint32_t> matched_;  // of each pattern, at the end of the text so far
  bool include_;
  std::string held_;
  bool found_ = false;
};

}  // namespace chorus::engine

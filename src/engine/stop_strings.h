// Finds the first stop string in a stream of text, and holds back what could be the start of one.
// One for each stream; not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace chorus::engine {

class StopStrings {
 public:
  // Empty strings are ignored. With `include`, the stop string itself is given out too.
  explicit StopStrings(std::vector<std::string> strings, bool include = false);

  // Adds text; the part of all text so far that is now certain to stand before any stop string, and
  // was not given out yet.
  std::string push(std::string_view text);
  // What was held back, when no more text comes.
  std::string finish();

  bool found() const { return found_; }  // from then on push() gives nothing

 private:
  std::vector<std::string> strings_;
  bool include_;
  std::string held_;
  bool found_ = false;
};

}  // namespace chorus::engine

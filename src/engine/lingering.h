// How long the engine waits, before it plans the next step, for those who were told in the last one that
// their texts have ended. Who makes one text after the other asks for the next some tens (a thread) or
// hundreds (over HTTP) of microseconds later, and would miss a step of milliseconds. It waits for a
// quarter of what the places of the ended take up of a step, so that little is lost if nobody comes, and
// where nobody does, more and more seldom.
//
// Thread contract: the engine's thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace chorus::engine {

class Lingering {
 public:
  using Duration = std::chrono::nanoseconds;

  // At most how long, after a step of so many sequences: 0 if not at all, else note() is to be told.
  Duration time(std::size_t ended, std::size_t sequences, Duration step) {
    if (ended == 0 || sequences == 0) return {};
    if (to_skip_ > 0) {
      --to_skip_;
      return {};
    }
    double places =
        static_cast<double>(std::min(ended, sequences)) / static_cast<double>(sequences);
    auto part = std::chrono::duration_cast<Duration>(step * places / kPart);
    return std::min(kMost, part);
  }

  // Whether anybody came.
  void note(bool came) {
    in_vain_ = came ? 0 : std::min(2 * in_vain_ + 1, kMostSkipped);
    to_skip_ = in_vain_;
  }

 private:
  static constexpr Duration kMost = std::chrono::milliseconds(1);
  static constexpr double kPart = 4.0;
  static constexpr std::size_t kMostSkipped = 31;

  std::size_t in_vain_ = 0, to_skip_ = 0;  // steps in which texts ended
};

}  // namespace chorus::engine

// A token that may be chosen, with its probability. Plain data.
#pragma once

#include <cstdint>

namespace chorus::sampling {

struct Candidate {
  float probability;
  std::int32_t id;
};

}  // namespace chorus::sampling

// How much more memory than the file has bytes a checkpoint may ask for: by compression, or by
// tensors that show the same bytes many times. Pure.
#pragma once

#include <cstdint>

namespace chorus::checkpoint {

constexpr std::uint64_t kFreeExpansion = std::uint64_t{64} << 20;  // bytes, whatever the file
constexpr std::uint64_t kLargestExpansion = 16;                    // beyond that, times its bytes

constexpr bool is_out_of_proportion(std::uint64_t asked, std::uint64_t held) {
  return asked > kFreeExpansion && asked / kLargestExpansion > held;
}

}  // namespace chorus::checkpoint

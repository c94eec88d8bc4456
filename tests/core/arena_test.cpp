#include "core/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>

namespace chorus {
namespace {

bool all_zero(std::span<const std::uint16_t> values) {
  return std::all_of(values.begin(), values.end(), [](std::uint16_t value) { return value == 0; });
}

bool is_aligned(const void* place) { return reinterpret_cast<std::uintptr_t>(place) % 64 == 0; }

TEST(Arena, ArraysAreZeroAlignedAndDoNotOverlap) {
  Arena arena(1000);
  std::vector<std::span<std::uint16_t>> arrays;
  for (std::size_t count : {1u, 31u, 32u, 33u, 0u, 400u, 7u, 5000u, 2u}) {
    arrays.push_back(arena.allot<std::uint16_t>(count));
    std::span<std::uint16_t> array = arrays.back();
    ASSERT_EQ(array.size(), count);
    EXPECT_TRUE(is_aligned(array.data()) && all_zero(array)) << count;
    std::fill(array.begin(), array.end(), static_cast<std::uint16_t>(arrays.size()));
  }
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    auto own = static_cast<std::uint16_t>(i + 1);
    EXPECT_EQ(std::count(arrays[i].begin(), arrays[i].end(), own),
              static_cast<std::ptrdiff_t>(arrays[i].size()));
  }
}

TEST(Arena, ArraysLieSideBySideAndOneThatIsLargerThanASlabHasItsOwn) {
  Arena arena(std::size_t{8} << 20);
  std::span<std::byte> first = arena.allot<std::byte>(100), second = arena.allot<std::byte>(1);
  EXPECT_EQ(second.data(), first.data() + 128);
  std::span<std::byte> large = arena.allot<std::byte>(std::size_t{9} << 20);
  large.back() = std::byte{1};
  EXPECT_EQ(large.front(), std::byte{0});
}

TEST(Arena, WhatNoMemoryCouldHoldThrows) {
  Arena arena(64);
  std::size_t most = std::numeric_limits<std::size_t>::max();
  EXPECT_THROW(static_cast<void>(arena.allot<float>(most)), std::bad_alloc);
  EXPECT_THROW(static_cast<void>(arena.allot<float>(most / sizeof(float))), std::bad_alloc);
  EXPECT_EQ(arena.allot<float>(3).size(), 3u);
}

}  // namespace
}  // namespace chorus

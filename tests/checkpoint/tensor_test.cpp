#include <gtest/gtest.h>

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {
namespace {

Tensor tensor(std::vector<std::int64_t> shape, std::vector<std::int64_t> strides) {
  Tensor result;
  result.shape = std::move(shape);
  result.strides = std::move(strides);
  return result;
}

TEST(Tensor, CountsItsElements) {
  EXPECT_EQ(tensor({3, 4, 5}, {20, 5, 1}).element_count(), 60);
  EXPECT_EQ(tensor({3, 0}, {1, 1}).element_count(), 0);
  EXPECT_EQ(tensor({}, {}).element_count(), 1);
  std::int64_t huge = std::int64_t{1} << 62;
  EXPECT_EQ(tensor({huge, huge, 0}, {1, 1, 1}).element_count(), 0);
}

TEST(Tensor, IsContiguousOnlyWhenRowMajorWithoutGaps) {
  EXPECT_TRUE(tensor({3, 4}, {4, 1}).is_contiguous());
  EXPECT_TRUE(tensor({}, {}).is_contiguous());
  EXPECT_FALSE(tensor({3, 4}, {1, 3}).is_contiguous());  // transposed
  EXPECT_FALSE(tensor({3, 4}, {5, 1}).is_contiguous());  // a gap after each row
  EXPECT_FALSE(tensor({3, 4}, {0, 1}).is_contiguous());  // one row, seen three times
}

TEST(Tensor, StridesThatAreNeverSteppedDoNotMatter) {
  EXPECT_TRUE(tensor({1, 4}, {99, 1}).is_contiguous());
  EXPECT_TRUE(tensor({4, 1}, {1, 99}).is_contiguous());
  EXPECT_TRUE(tensor({0, 4}, {7, 7}).is_contiguous());
}

}  // namespace
}  // namespace chorus::checkpoint

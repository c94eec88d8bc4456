#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "checkpoint/checkpoint.h"
#include "core/half.h"

namespace chorus::checkpoint {
namespace {

// A tensor over `storage`, which must outlive it.
template <class Bits>
Tensor over(const std::vector<Bits>& storage, NumberFormat dtype, std::vector<std::int64_t> shape,
            std::vector<std::int64_t> strides) {
  return {dtype, std::move(shape), std::move(strides), std::as_bytes(std::span(storage))};
}

std::optional<std::string> find(const Tensor& tensor) {
  Checkpoint checkpoint;
  checkpoint.tensors.emplace("w", tensor);
  return find_nonfinite(checkpoint);
}

TEST(FindNonfinite, FindsOneAmongAnyNumberAtAnyPlace) {
  for (std::size_t size : {1u, 2u, 4095u, 4096u, 4097u, 10000u}) {
    auto count = static_cast<std::int64_t>(size);
    std::vector<float> values(size, std::numeric_limits<float>::max());
    EXPECT_EQ(find(over(values, NumberFormat::kF32, {count}, {1})), std::nullopt);
    for (std::size_t place : {std::size_t{0}, size / 2, size - 1}) {
      values[place] = std::nanf("");
      EXPECT_EQ(find(over(values, NumberFormat::kF32, {count}, {1})),
                "w[" + std::to_string(place) + "] is nan");
      values[place] = -1;
    }
  }
}

TEST(FindNonfinite, EveryValueOfBothHalfFormatsIsJudgedRight) {
  for (std::uint32_t i = 0; i < 65536; ++i) {
    std::vector<std::uint16_t> bits = {static_cast<std::uint16_t>(i)};
    EXPECT_EQ(!find(over(bits, NumberFormat::kBf16, {1}, {1})), std::isfinite(bf16_to_f32(bits[0])))
        << i;
    EXPECT_EQ(!find(over(bits, NumberFormat::kF16, {1}, {1})), std::isfinite(f16_to_f32(bits[0])))
        << i;
  }
}

TEST(FindNonfinite, IndicesAreThoseOfTheView) {
  std::vector<float> values(12, 1);
  values[7] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(find(over(values, NumberFormat::kF32, {3, 4}, {4, 1})), "w[1, 3] is inf");
  EXPECT_EQ(find(over(values, NumberFormat::kF32, {4, 3}, {1, 4})), "w[3, 1] is inf");
  EXPECT_EQ(find(over(values, NumberFormat::kF32, {4}, {3})),
            std::nullopt);  // does not look between
  values[6] = std::nanf("");
  EXPECT_EQ(find(over(values, NumberFormat::kF32, {4}, {3})), "w[2] is nan");
}

TEST(FindNonfinite, DataNeedsNoAlignment) {
  std::vector<char> bytes(41, 0);
  float infinity = std::numeric_limits<float>::infinity();
  std::memcpy(bytes.data() + 1 + 4 * 9, &infinity, sizeof infinity);
  Tensor tensor{NumberFormat::kF32, {10}, {1}, std::as_bytes(std::span(bytes)).subspan(1)};
  EXPECT_EQ(find(tensor), "w[9] is inf");
}

}  // namespace
}  // namespace chorus::checkpoint

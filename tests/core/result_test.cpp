#include "chorus/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "chorus/error.h"

namespace chorus {
namespace {

Result<std::unique_ptr<int>> half(int number) {
  if (number % 2 != 0) return Error{ErrorCode::kInvalidArgument, "odd"};
  return std::make_unique<int>(number / 2);
}

Result<void> check_half(int number) {
  CHORUS_TRY(half(number));
  return ok();
}

Result<std::string> quarter(int number) {
  CHORUS_TRY(auto once, half(number));
  std::unique_ptr<int> twice;
  CHORUS_TRY(twice, half(*once));
  CHORUS_TRY(check_half(number));
  return std::to_string(*twice);
}

TEST(Result, TryTakesTheValueOrReturnsTheError) {
  EXPECT_EQ(quarter(12).value(), "3");
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(3).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(check_half(2).has_value());
  EXPECT_TRUE(check_half(1).has_error());
}

TEST(Result, HoldsWhatMovesOnlyAndGivesItAway) {
  Result<std::unique_ptr<int>> result = half(8);
  ASSERT_TRUE(result);
  std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 4);
  EXPECT_EQ(*half(8).assume_value(), 4);
}

TEST(Result, TakesWhatBecomesItsValue) {
  Result<std::optional<std::string>> text = "text";
  EXPECT_EQ(text.value(), "text");
  Result<std::optional<std::string>> none = std::nullopt;
  ASSERT_TRUE(none);
  EXPECT_FALSE(none.value().has_value());
  Result<int, std::string> other = std::string("why");
  EXPECT_EQ(other.error(), "why");
}

TEST(ResultDeathTest, TheErrorThatNobodyLookedAtIsNamed) {
  EXPECT_DEATH((void)half(1).value(), "the value of a failed Result was read; its error: odd");
  EXPECT_DEATH(check_half(1).value(), "its error: odd");
  EXPECT_DEATH((void)half(2).error(), "the error of a Result that has a value was read");
  EXPECT_DEATH((void)(Result<int, std::string>(std::string("why")).value()),
               "the value of a failed Result was read");
}

}  // namespace
}  // namespace chorus

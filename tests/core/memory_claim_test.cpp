#include "core/memory_claim.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace chorus {
namespace {

constexpr MemoryBound kBound{1'000'000'000'000'000, "a test"};

TEST(MemoryClaim, TogetherTheyMustFitAndEachIsNamed) {
  auto first = MemoryClaim::make({{"the weights of a", 600'000'000'000'000}}, kBound);
  ASSERT_TRUE(first);
  auto second = MemoryClaim::make(
      {{"the weights of b", 300'000'000'000'000}, {"buffers", 200'000'000'000'000}}, kBound);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.assume_error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(second.assume_error().message,
            "not enough memory: the weights of a need 600000000.0 MB, the weights of b 300000000.0 "
            "MB, buffers 200000000.0 MB, together 1100000000.0 MB; this process may have "
            "1000000000.0 MB at most (a test)");
  // What was refused is not held, and what ends is given back.
  EXPECT_TRUE(MemoryClaim::make({{"the weights of c", 400'000'000'000'000}}, kBound));
  first.assume_value() = MemoryClaim();
  EXPECT_TRUE(MemoryClaim::make({{"the weights of d", 1'000'000'000'000'000}}, kBound));
  EXPECT_TRUE(claimed_memory().empty());
}

TEST(MemoryClaim, DefaultsRefuseNothingButAreKnown) {
  auto claim = MemoryClaim::make({{"weights", 1}}, kBound);
  ASSERT_TRUE(claim);
  claim.assume_value().add({"keys and values", kBound.bytes, /*is_default=*/true});
  EXPECT_EQ(sum_of(claimed_memory()), kBound.bytes + 1);
  EXPECT_TRUE(MemoryClaim::make({{"weights", 5}}, kBound));
  MemoryClaim moved = std::move(claim.assume_value());
  EXPECT_EQ(claimed_memory().size(), 2u);
}

TEST(MemoryClaim, SumsDoNotWrapAround) {
  EXPECT_FALSE(check_memory({{"a", UINT64_MAX}, {"b", 5}}, kBound));
  EXPECT_TRUE(check_memory({{"a", UINT64_MAX}}, {}));  // not known
  EXPECT_TRUE(check_memory({{"a", kBound.bytes}}, kBound));
}

// The parent's are the parent's memory, and its lock may be held for ever.
TEST(MemoryClaim, AForkedChildBeginsWithNone) {
  auto claim = MemoryClaim::make({{"weights", kBound.bytes}}, kBound);
  ASSERT_TRUE(claim);
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    bool is_right = claimed_memory().empty();
    {
      auto own = MemoryClaim::make({{"weights", kBound.bytes}}, kBound);
      claim.assume_value() = MemoryClaim();  // gives nothing of the child's back
      is_right = is_right && own && claimed_memory().size() == 1;
    }
    ::_exit(is_right && claimed_memory().empty() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(claimed_memory().size(), 1u);
}

}  // namespace
}  // namespace chorus

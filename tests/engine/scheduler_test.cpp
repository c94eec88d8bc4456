// What the scheduler says is to be computed: tokens, page numbers and copies. No model is needed.

#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <numeric>

namespace chorus::engine {
namespace {

constexpr std::size_t kPromptTokens = 40;  // one page and the beginning of another

Sequence& add(Scheduler& scheduler) {
  Request request;
  request.prompt.resize(kPromptTokens);
  std::iota(request.prompt.begin(), request.prompt.end(), 1);
  request.max_length = kPromptTokens + 2;
  auto state = std::make_shared<RequestState>(std::move(request), 2 * kPromptTokens);
  auto sequence = std::make_unique<Sequence>(std::move(state), 0);
  Sequence& added = *sequence;
  scheduler.add(std::move(sequence));
  return added;
}

// The pages of a prompt that has been read and whose sequence has ended.
std::vector<PageNumber> read_once(Scheduler& scheduler) {
  Sequence& sequence = add(scheduler);
  scheduler.admit();
  const Plan& plan = scheduler.plan();
  EXPECT_EQ(plan.chunks.at(0).ids.size(), kPromptTokens);
  EXPECT_TRUE(plan.copies.empty());
  scheduler.advance();
  std::vector<PageNumber> pages = sequence.pages;
  scheduler.end(sequence);
  scheduler.remove_ended();
  EXPECT_TRUE(scheduler.check());
  return pages;
}

TEST(Scheduler, APromptThatWasReadBeforeSharesFullPagesAndCopiesTheRest) {
  Scheduler scheduler(8, true, 64, [](PageNumber) {});
  std::vector<PageNumber> pages = read_once(scheduler);
  Sequence& again = add(scheduler);
  scheduler.admit();
  const Plan& plan = scheduler.plan();
  ASSERT_EQ(plan.copies.size(), 1u);
  EXPECT_EQ(plan.copies[0].from, pages[1]);
  EXPECT_EQ(plan.copies[0].to, again.pages[1]);
  EXPECT_NE(again.pages[1], pages[1]);
  EXPECT_EQ(again.pages[0], pages[0]);
  EXPECT_EQ(plan.chunks.at(0).position, kPromptTokens - 1);
  EXPECT_EQ(plan.chunks[0].pages.size(), 2u);
  scheduler.advance();
  EXPECT_TRUE(scheduler.plan().copies.empty());
  EXPECT_TRUE(scheduler.check());
}

TEST(Scheduler, APageThatIsCopiedFromMayBeTakenOverInTheSameStep) {
  Scheduler scheduler(3, true, 64, [](PageNumber) {});
  std::vector<PageNumber> pages = read_once(scheduler);
  Sequence& first = add(scheduler);
  Sequence& second = add(scheduler);
  scheduler.admit();
  const Plan& plan = scheduler.plan();
  ASSERT_EQ(plan.copies.size(), 1u);
  EXPECT_EQ(plan.copies[0].from, pages[1]);
  EXPECT_EQ(plan.copies[0].to, first.pages[1]);
  EXPECT_EQ(second.pages[1], pages[1]);  // as it is
  EXPECT_TRUE(scheduler.check());
}

TEST(Scheduler, CopiesOfAStepThatFailedAreForgotten) {
  Scheduler scheduler(8, true, 64, [](PageNumber) {});
  read_once(scheduler);
  Sequence& failed = add(scheduler);
  scheduler.admit();
  EXPECT_EQ(scheduler.plan().copies.size(), 1u);
  scheduler.end(failed);  // without advance(): there was no memory for the step
  scheduler.remove_ended();
  EXPECT_TRUE(scheduler.plan().copies.empty());
  EXPECT_TRUE(scheduler.check());
}

}  // namespace
}  // namespace chorus::engine

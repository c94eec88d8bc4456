#include "engine/page_pool.h"

#include <gtest/gtest.h>

#include <random>

namespace chorus::engine {
namespace {

PageTokens tokens(std::int32_t first) {
  PageTokens result{};
  result.fill(first);
  return result;
}

PageNumber take(PagePool& pool) {
  EXPECT_TRUE(pool.reserve(1));
  return pool.take();
}

TEST(PagePool, GivesNoMoreThanItsBoundAndTakesBack) {
  PagePool pool(3, true);
  std::vector<PageNumber> held = {take(pool), take(pool), take(pool)};
  EXPECT_EQ(pool.available(), 0u);
  pool.release(held.back());
  held.pop_back();
  EXPECT_EQ(pool.available(), 1u);
  std::span<const PageNumber> table(held);
  EXPECT_TRUE(pool.check({&table, 1}, 0));
  EXPECT_FALSE(pool.check({}, 0));  // two pages are held by nobody that is named
}

TEST(PagePool, APublishedPageIsFoundByItsTokensAndThoseBefore) {
  PagePool pool(4, true);
  auto first = pool.publish(take(pool), kEmptyPrefix, tokens(1));
  auto second = pool.publish(take(pool), first.key, tokens(2));
  EXPECT_FALSE(pool.find(kEmptyPrefix, tokens(2)));
  EXPECT_FALSE(pool.find(second.key, tokens(2)));
  auto found = pool.find(first.key, tokens(2));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->page, second.page);
  std::vector<PageNumber> table = {first.page, second.page, found->page};
  std::span<const PageNumber> view(table);
  EXPECT_TRUE(pool.check({&view, 1}, 0));
}

TEST(PagePool, TheSameTokensPublishedTwiceShareOnePage) {
  PagePool pool(4, true);
  auto first = pool.publish(take(pool), kEmptyPrefix, tokens(1));
  auto again = pool.publish(take(pool), kEmptyPrefix, tokens(1));
  EXPECT_EQ(first.page, again.page);
  EXPECT_EQ(pool.held(), 1u);
}

TEST(PagePool, IdlePagesGoLeastRecentlyUsedFirst) {
  PagePool pool(2, true);
  auto a = pool.publish(take(pool), kEmptyPrefix, tokens(1));
  auto b = pool.publish(take(pool), kEmptyPrefix, tokens(2));
  pool.release(a.page);
  pool.release(b.page);
  EXPECT_EQ(pool.available(), 2u);
  pool.release(pool.find(kEmptyPrefix, tokens(1))->page);  // used again
  PageNumber taken = take(pool);
  EXPECT_EQ(taken, b.page);
  EXPECT_FALSE(pool.find(kEmptyPrefix, tokens(2)));
  EXPECT_TRUE(pool.find(kEmptyPrefix, tokens(1)));
}

std::vector<std::int32_t> run(std::int32_t first, std::size_t count) {
  std::vector<std::int32_t> result(count);
  for (std::int32_t& token : result) token = first++;
  return result;
}

TEST(PagePool, TheLongestBeginningIsFound) {
  PagePool pool(4, true);
  PageNumber a = take(pool), b = take(pool);
  pool.keep_beginning(a, kEmptyPrefix, run(5, 3));
  EXPECT_FALSE(pool.find_beginning(kEmptyPrefix, run(6, 3)));
  EXPECT_FALSE(pool.find_beginning(7, run(5, 3)));
  EXPECT_EQ(pool.find_beginning(kEmptyPrefix, run(5, 9))->count, 3u);
  EXPECT_EQ(pool.find_beginning(kEmptyPrefix, run(5, 2))->count, 2u);
  pool.keep_beginning(b, kEmptyPrefix, run(5, 2));  // is there already
  pool.release(b);
  b = take(pool);
  pool.keep_beginning(b, kEmptyPrefix, run(5, 6));
  auto found = pool.find_beginning(kEmptyPrefix, run(5, 9));
  EXPECT_EQ(found->page, b);
  EXPECT_EQ(found->count, 6u);
  std::vector<PageNumber> table = {a, b};
  std::span<const PageNumber> view(table);
  EXPECT_TRUE(pool.check({&view, 1}, 0));
}

TEST(PagePool, ABeginningIsKeptUntilItsRoomIsNeeded) {
  PagePool pool(2, true);
  PageNumber a = take(pool), b = take(pool);
  pool.keep_beginning(a, kEmptyPrefix, run(1, 4));
  pool.keep_beginning(b, kEmptyPrefix, run(2, 4));
  pool.release(a);
  pool.release(b);
  EXPECT_EQ(pool.available(), 2u);
  EXPECT_EQ(pool.find_beginning(kEmptyPrefix, run(1, 4))->page, a);  // used again
  EXPECT_EQ(take(pool), b);
  EXPECT_FALSE(pool.find_beginning(kEmptyPrefix, run(2, 4)));
  EXPECT_TRUE(pool.find_beginning(kEmptyPrefix, run(1, 4)));
  EXPECT_EQ(take(pool), a);
  EXPECT_FALSE(pool.find_beginning(kEmptyPrefix, run(1, 4)));
}

TEST(PagePool, APageThatFillsUpIsFoundByItsBeginningToo) {
  PagePool pool(3, true);
  PageNumber page = take(pool);
  pool.keep_beginning(page, kEmptyPrefix, std::vector<std::int32_t>(3, 1));
  auto whole = pool.publish(page, kEmptyPrefix, tokens(1));
  EXPECT_EQ(whole.page, page);
  EXPECT_EQ(pool.find_beginning(kEmptyPrefix, std::vector<std::int32_t>(9, 1))->count, 9u);
  PageNumber again = take(pool);
  pool.keep_beginning(again, kEmptyPrefix, std::vector<std::int32_t>(9, 1));  // nothing new
  EXPECT_EQ(pool.publish(again, kEmptyPrefix, tokens(1)).page, page);
  EXPECT_EQ(pool.held(), 1u);
  pool.release(page);
  pool.release(page);
  EXPECT_TRUE(pool.check({}, 0));
}

TEST(PagePool, WithoutCachingNothingIsFound) {
  PagePool pool(2, false);
  PageNumber page = take(pool);
  EXPECT_EQ(pool.publish(page, kEmptyPrefix, tokens(1)).page, page);
  EXPECT_FALSE(pool.find(kEmptyPrefix, tokens(1)));
  pool.keep_beginning(page, kEmptyPrefix, run(1, 4));
  EXPECT_FALSE(pool.find_beginning(kEmptyPrefix, run(1, 4)));
  pool.release(page);
  EXPECT_EQ(pool.available(), 2u);
}

TEST(PagePool, PromisedPagesAreKeptForThoseTheyArePromisedTo) {
  PagePool pool(3, true);
  auto cached = pool.publish(take(pool), kEmptyPrefix, tokens(1));
  pool.release(cached.page);
  EXPECT_FALSE(pool.reserve(4));
  ASSERT_TRUE(pool.reserve(3));
  EXPECT_FALSE(pool.reserve(1));
  EXPECT_FALSE(pool.find(kEmptyPrefix, tokens(1)));  // its room is promised
  EXPECT_FALSE(pool.check({}, 2));
  EXPECT_TRUE(pool.check({}, 3));
  pool.unreserve(1);
  EXPECT_TRUE(pool.find(kEmptyPrefix, tokens(1)));
  pool.take();
  pool.take();
  EXPECT_EQ(pool.available(), 0u);
  EXPECT_EQ(pool.reserved(), 0u);
}

TEST(PagePool, RandomUseLosesNoPage) {
  PagePool pool(12, true);
  std::mt19937 random(11);
  std::vector<std::vector<PageNumber>> tables;
  for (int step = 0; step < 5000; ++step) {
    if (tables.size() < 5 && random() % 2 == 0) {
      std::vector<PageNumber> table;
      PrefixKey key = kEmptyPrefix;
      for (auto length = random() % 4; length > 0 && pool.available() > 0; --length) {
        PageTokens run = tokens(static_cast<std::int32_t>(random() % 3));
        auto match = pool.find(key, run);
        if (!match) match = pool.publish(take(pool), key, run);
        table.push_back(match->page);
        key = match->key;
      }
      if (pool.available() > 0 && random() % 2 == 0) {
        PageTokens rest = tokens(static_cast<std::int32_t>(random() % 3));
        table.push_back(take(pool));
        pool.keep_beginning(table.back(), key, std::span(rest).first(1 + random() % 31));
      }
      tables.push_back(table);
    } else if (!tables.empty()) {
      std::size_t which = random() % tables.size();
      for (auto page = tables[which].rbegin(); page != tables[which].rend(); ++page) {
        pool.release(*page);
      }
      tables.erase(tables.begin() + static_cast<std::ptrdiff_t>(which));
    }
    std::vector<std::span<const PageNumber>> views(tables.begin(), tables.end());
    auto checked = pool.check(views, 0);
    ASSERT_TRUE(checked) << checked.assume_error().message;
  }
}

TEST(PagePool, NumbersThatHaveBeenTakenBeforeComeFirst) {
  PagePool pool(100, true);
  PageNumber first = take(pool);
  EXPECT_EQ(first, 0u);
  EXPECT_EQ(take(pool), 1u);
  pool.release(first);
  EXPECT_EQ(take(pool), first);
  EXPECT_EQ(take(pool), 2u);
}

#ifndef NDEBUG
TEST(PagePoolDeathTest, MistakesOfItsUserAreNoticed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  PagePool pool(3, true);
  EXPECT_DEATH(pool.take(), "reserved_ > 0");
  EXPECT_DEATH(pool.unreserve(1), "reserved_");
  PageNumber page = take(pool);
  pool.release(page);
  EXPECT_DEATH(pool.release(page), "holders > 0");
  EXPECT_DEATH(pool.release(page + 1), "pages_.size");
}
#endif

}  // namespace
}  // namespace chorus::engine

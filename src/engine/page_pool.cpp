#include "engine/page_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

namespace chorus::engine {

// Of how many pages that begin with one token a search looks at, at most.
constexpr std::size_t kMostLooks = 64;

namespace {

std::uint64_t beginning_hash(PrefixKey parent, std::int32_t token) {
  return (parent * 0x9e3779b97f4a7c15u) ^ static_cast<std::uint32_t>(token);
}

}  // namespace

PagePool::PagePool(std::size_t max_pages, bool caching)
    : max_pages_(max_pages), caching_(caching) {}

PagePool::Page& PagePool::at(PageNumber page) {
  assert(page < pages_.size());
  return pages_[page];
}

std::size_t PagePool::available() const {
  return max_pages_ - pages_.size() + free_.size() + idle_;
}

bool PagePool::reserve(std::size_t count) {
  if (available() - reserved_ < count) return false;
  reserved_ += count;
  return true;
}

void PagePool::unreserve(std::size_t count) {
  assert(count <= reserved_);
  reserved_ -= count;
}

PageNumber PagePool::take() {
  assert(reserved_ > 0 && available() >= reserved_);
  PageNumber page = 0;
  if (!free_.empty()) {
    page = free_.back();
    free_.pop_back();
  } else if (pages_.size() < max_pages_) {
    page = static_cast<PageNumber>(pages_.size());
    // Room for all of them, so that release() needs no memory.
    if (free_.capacity() <= page) free_.reserve(2 * std::size_t{page} + 1);
    pages_.emplace_back();
  } else {
    page = idle_first_;
    remove_idle(page);
    forget(page);
  }
  assert(pages_[page].holders == 0 && pages_[page].cached == 0);
  pages_[page].holders = 1;
  --reserved_;
  return page;
}

void PagePool::retain(PageNumber page) {
  Page& retained = at(page);
  if (retained.holders++ > 0) return;
  assert(retained.cached > 0);
  remove_idle(page);
}

// Tables are released from their last page to their first, so that of one text the later page is
// always the first to go: a page whose predecessor is gone cannot be found.
void PagePool::release(PageNumber page) {
  Page& released = at(page);
  assert(released.holders > 0);
  if (--released.holders > 0) return;
  if (released.cached == 0) {
    free_.push_back(page);
    return;
  }
  add_idle(page);
}

void PagePool::add_idle(PageNumber page) {
  pages_[page].before = idle_last_;
  pages_[page].after = kNone;
  (idle_last_ == kNone ? idle_first_ : pages_[idle_last_].after) = page;
  idle_last_ = page;
  ++idle_;
}

void PagePool::remove_idle(PageNumber page) {
  auto [before, after] = std::pair(pages_[page].before, pages_[page].after);
  (before == kNone ? idle_first_ : pages_[before].after) = after;
  (after == kNone ? idle_last_ : pages_[after].before) = before;
  --idle_;
}

std::optional<PagePool::Match> PagePool::find(PrefixKey parent, const PageTokens& tokens) {
  auto found = cache_.find({parent, tokens});
  if (found == cache_.end()) return std::nullopt;
  Page& page = pages_[found->second];
  if (page.holders == 0 && available() == reserved_) return std::nullopt;
  retain(found->second);
  return Match{found->second, page.key};
}

PagePool::Match PagePool::publish(PageNumber page, PrefixKey parent, const PageTokens& tokens) {
  assert(at(page).holders > 0);
  if (!caching_) return {page, kEmptyPrefix};
  forget(page);                 // its beginning
  PrefixKey key = next_key_++;  // also of a page that is not cached: what follows it has a parent
  try {
    auto [entry, added] = cache_.try_emplace({parent, tokens}, page);
    if (!added) {
      PageNumber other = entry->second;
      retain(other);  // before the release: the reservations stay covered by what is available
      release(page);
      return {other, pages_[other].key};
    }
    if (!cache(page, parent, tokens)) {
      cache_.erase(entry);
    } else {
      pages_[page].key = key;
    }
  } catch (const std::bad_alloc&) {
  }
  return {page, key};
}

void PagePool::keep_beginning(PageNumber page, PrefixKey parent,
                              std::span<const std::int32_t> tokens) {
  assert(at(page).holders > 0 && tokens.size() < model::kPagePositions);
  if (!caching_ || tokens.empty()) return;
  auto found = find_beginning(parent, tokens);
  if (found && found->count == tokens.size()) return;
  forget(page);
  cache(page, parent, tokens);
}

std::optional<PagePool::Beginning> PagePool::find_beginning(PrefixKey parent,
                                                            std::span<const std::int32_t> tokens) {
  if (tokens.empty()) return std::nullopt;
  std::optional<Beginning> best;
  auto [next, end] = by_beginning_.equal_range(beginning_hash(parent, tokens[0]));
  for (std::size_t looks = 0; next != end && looks < kMostLooks; ++next, ++looks) {
    const Page& page = pages_[next->second];
    if (page.content.parent != parent) continue;
    std::size_t most = std::min(page.cached, tokens.size());
    auto differs = std::mismatch(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(most),
                                 page.content.tokens.begin());
    auto count = static_cast<std::size_t>(differs.first - tokens.begin());
    if (count > (best ? best->count : 0)) best = Beginning{next->second, count};
  }
  if (best && pages_[best->page].holders == 0) {
    retain(best->page);
    release(best->page);  // used just now
  }
  return best;
}

bool PagePool::cache(PageNumber page, PrefixKey parent, std::span<const std::int32_t> tokens) {
  try {
    by_beginning_.emplace(beginning_hash(parent, tokens[0]), page);
  } catch (const std::bad_alloc&) {
    return false;
  }
  pages_[page].cached = tokens.size();
  pages_[page].content.parent = parent;
  std::ranges::copy(tokens, pages_[page].content.tokens.begin());
  return true;
}

void PagePool::forget(PageNumber page) {
  Page& forgotten = pages_[page];
  if (forgotten.cached == 0) return;
  auto [next, end] = by_beginning_.equal_range(
      beginning_hash(forgotten.content.parent, forgotten.content.tokens[0]));
  by_beginning_.erase(
      std::find_if(next, end, [page](auto& entry) { return entry.second == page; }));
  if (forgotten.key != kEmptyPrefix) cache_.erase(forgotten.content);
  forgotten.cached = 0;
  forgotten.key = kEmptyPrefix;
}

std::size_t PagePool::CacheKeyHash::operator()(const CacheKey& key) const {
  std::uint64_t hash = key.parent * 0x9e3779b97f4a7c15u;
  for (std::int32_t token : key.tokens) {
    hash = (hash ^ static_cast<std::uint32_t>(token)) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

Result<void> PagePool::check(std::span<const std::span<const PageNumber>> holders,
                             std::size_t reserved) const {
  auto fail = [](std::string message) { return Error{ErrorCode::kCorrupt, std::move(message)}; };
  std::vector<std::uint32_t> counts(pages_.size(), 0);
  for (std::span<const PageNumber> table : holders) {
    for (PageNumber page : table) ++counts.at(page);
  }
  std::size_t unheld = 0, idle = 0, cached_pages = 0, whole_pages = 0;
  for (PageNumber page = 0; page < pages_.size(); ++page) {
    bool cached = pages_[page].cached > 0, whole = pages_[page].key != kEmptyPrefix;
    if (counts[page] != pages_[page].holders) {
      return fail(fmt::format("page {}: {} holders counted, {} found", page, pages_[page].holders,
                              counts[page]));
    }
    auto entry = cache_.find(pages_[page].content);
    if (whole != (entry != cache_.end() && entry->second == page) || (whole && !cached)) {
      return fail(fmt::format("page {}: cache entry", page));
    }
    cached_pages += cached ? 1 : 0;
    whole_pages += whole ? 1 : 0;
    if (counts[page] == 0 && cached) ++idle;
    if (counts[page] == 0 && !cached) ++unheld;
  }
  if (pages_.size() > max_pages_) return fail("more pages than the bound");
  if (reserved != reserved_) {
    return fail(fmt::format("{} pages reserved, {} by sequences", reserved_, reserved));
  }
  if (reserved_ > available()) {
    return fail(fmt::format("{} pages reserved, {} available", reserved_, available()));
  }
  if (unheld != free_.size()) return fail("free pages lost");
  std::size_t linked = 0;
  for (PageNumber page = idle_first_; page != kNone && linked <= idle; page = pages_[page].after) {
    ++linked;
  }
  if (idle != idle_ || idle != linked) return fail("idle pages lost");
  if (cache_.size() != whole_pages) return fail("cache entries lost");
  if (by_beginning_.size() != cached_pages) return fail("beginnings lost");
  return ok();
}

}  // namespace chorus::engine

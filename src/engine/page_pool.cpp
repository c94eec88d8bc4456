#include "engine/page_pool.h"

#include <fmt/format.h>

#include <algorithm>

namespace chorus::engine {

constexpr std::size_t kSlabBytes = std::size_t{16} << 20;
constexpr std::size_t kSlabPages = 64;  // at most: pages of small models are small

// Of how many pages that begin with one token a search looks at, at most.
constexpr std::size_t kMostLooks = 64;

std::uint64_t beginning_hash(PrefixKey parent, std::int32_t token) {
  return (parent * 0x9e3779b97f4a7c15u) ^ static_cast<std::uint32_t>(token);
}

PagePool::PagePool(const model::KvLayout& layout, std::size_t max_pages, bool caching)
    : layout_(layout), max_pages_(max_pages), caching_(caching) {}

std::size_t PagePool::available() const {
  return max_pages_ - pages_.size() + free_.size() + idle_.size();
}

bool PagePool::reserve(std::size_t count) {
  if (available() - reserved_ < count) return false;
  reserved_ += count;
  return true;
}

// A slab of pages, all of them free.
void PagePool::allot() {
  std::size_t wanted = std::clamp<std::size_t>(kSlabBytes / layout_.page_bytes(), 1, kSlabPages);
  std::size_t count = std::min(wanted, max_pages_ - pages_.size());
  free_.reserve(free_.size() + count);
  pages_.reserve(pages_.size() + count);
  slabs_.emplace_back(count * layout_.page_bytes());
  std::byte* end = slabs_.back().data() + slabs_.back().size();
  for (std::size_t i = 0; i < count; ++i) {
    free_.push_back(static_cast<PageId>(pages_.size()));
    pages_.push_back({.data = end -= layout_.page_bytes()});
  }
}

PageId PagePool::take() {
  PageId page = 0;
  if (!free_.empty()) {
    page = free_.back();
    free_.pop_back();
  } else if (pages_.size() < max_pages_) {
    allot();
    page = free_.back();
    free_.pop_back();
  } else {
    page = idle_.begin()->second;
    idle_.erase(idle_.begin());
    forget(page);
  }
  pages_[page].holders = 1;
  --reserved_;
  return page;
}

void PagePool::retain(PageId page) {
  if (pages_[page].holders++ == 0) idle_.erase(pages_[page].last_use);
}

// Tables are released from their last page to their first, so that of one text the later page is
// always the first to go: a page whose predecessor is gone cannot be found.
void PagePool::release(PageId page) {
  if (--pages_[page].holders > 0) return;
  if (pages_[page].cached == 0) {
    free_.push_back(page);
    return;
  }
  pages_[page].last_use = ++clock_;
  idle_.emplace(pages_[page].last_use, page);
}

std::optional<PagePool::Match> PagePool::find(PrefixKey parent, const PageTokens& tokens) {
  auto found = cache_.find({parent, tokens});
  if (found == cache_.end()) return std::nullopt;
  Page& page = pages_[found->second];
  if (page.holders == 0 && available() == reserved_) return std::nullopt;
  retain(found->second);
  return Match{found->second, page.key};
}

PagePool::Match PagePool::publish(PageId page, PrefixKey parent, const PageTokens& tokens) {
  if (!caching_) return {page, kEmptyPrefix};
  forget(page);  // its beginning
  auto [entry, added] = cache_.try_emplace({parent, tokens}, page);
  if (!added) {
    PageId other = entry->second;
    retain(other);  // before the release: the promises stay covered by what is available
    release(page);
    return {other, pages_[other].key};
  }
  cache(page, parent, tokens);
  pages_[page].key = next_key_++;
  return {page, pages_[page].key};
}

void PagePool::keep_beginning(PageId page, PrefixKey parent, std::span<const std::int32_t> tokens) {
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

void PagePool::cache(PageId page, PrefixKey parent, std::span<const std::int32_t> tokens) {
  pages_[page].cached = tokens.size();
  pages_[page].content.parent = parent;
  std::ranges::copy(tokens, pages_[page].content.tokens.begin());
  by_beginning_.emplace(beginning_hash(parent, tokens[0]), page);
}

void PagePool::forget(PageId page) {
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

Result<void> PagePool::check(std::span<const std::span<const PageId>> holders,
                             std::size_t promised) const {
  auto fail = [](std::string message) { return Error{ErrorCode::kCorrupt, std::move(message)}; };
  std::vector<std::uint32_t> counts(pages_.size(), 0);
  for (std::span<const PageId> table : holders) {
    for (PageId page : table) ++counts.at(page);
  }
  std::size_t unheld = 0, idle = 0, cached_pages = 0, whole_pages = 0;
  for (PageId page = 0; page < pages_.size(); ++page) {
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
  if (promised != reserved_) {
    return fail(fmt::format("{} pages reserved, {} promised", reserved_, promised));
  }
  if (reserved_ > available()) {
    return fail(fmt::format("{} pages reserved, {} available", reserved_, available()));
  }
  if (unheld != free_.size()) return fail("free pages lost");
  if (idle != idle_.size()) return fail("idle pages lost");
  if (cache_.size() != whole_pages) return fail("cache entries lost");
  if (by_beginning_.size() != cached_pages) return fail("beginnings lost");
  return ok();
}

}  // namespace chorus::engine

// The pages of keys and values of all sequences, within one bound, shared by reference count; and
// the prefix cache: a page that holds a whole run of a text's tokens can be found again by those
// tokens and the page before it; the first tokens of a run, such as the end of a prompt, can be
// found to be copied. A cached page that no sequence holds is kept until its room is needed, the
// one used longest ago first.
//
// Pages are reserved before they are taken: a sequence reserves its worst case when it is admitted,
// so that it never finds the pool empty later.
//
// The pool knows page numbers alone. Where their memory is, and what it holds, is the matter of
// whatever computes with them: model/kv_store.h.
//
// Thread contract: belongs to the thread that makes the steps.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "chorus/error.h"
#include "model/chunk.h"

namespace chorus::engine {

using model::PageNumber;
using PageTokens = std::array<std::int32_t, model::kPagePositions>;

// Names a cached run of tokens from the start of a text; never used twice.
using PrefixKey = std::uint64_t;
inline constexpr PrefixKey kEmptyPrefix = 0;

class PagePool {
 public:
  // `caching` false: nothing is ever found again.
  PagePool(std::size_t max_pages, bool caching);

  // Pages that nobody holds: never taken, free, or cached only.
  std::size_t available() const;
  std::size_t capacity() const { return max_pages_; }
  std::size_t held() const { return capacity() - available(); }
  std::size_t reserved() const { return reserved_; }

  // Promises `count` pages more, or nothing if there are not so many.
  bool reserve(std::size_t count);
  void unreserve(std::size_t count);

  // A reserved page, held once, its contents unspecified; numbers that have been taken before come
  // first. Throws std::bad_alloc, the reservation kept.
  PageNumber take();
  void release(PageNumber page);

  struct Match {
    PageNumber page;
    PrefixKey key;
  };
  // The cached page that continues `parent` with `tokens`, now held once more; empty if there is
  // none, or if nobody holds it and its room is reserved for others.
  std::optional<Match> find(PrefixKey parent, const PageTokens& tokens);

  // Caches `page`, which is full and continues `parent` with `tokens`. If another page is cached
  // for them already, that one is returned, held, in place of `page`, which is released: their
  // contents are the same bits. Without memory it is not cached, and nothing else is different.
  Match publish(PageNumber page, PrefixKey parent, const PageTokens& tokens);

  // Caches the first tokens.size() positions, fewer than a page's, of `page`, which continues
  // `parent` with them; unless they can be found already, or there is no memory. Whoever holds the
  // page may fill the rest.
  void keep_beginning(PageNumber page, PrefixKey parent, std::span<const std::int32_t> tokens);

  struct Beginning {
    PageNumber page;  // may be gone at the next take(), which then may return it, as it is
    std::size_t count;
  };
  // The cached page after `parent` that has most of `tokens` at its start. Empty if none has any.
  std::optional<Beginning> find_beginning(PrefixKey parent, std::span<const std::int32_t> tokens);

  // Whether every count agrees with `holders`, the page tables of all sequences, and with the pages
  // still reserved for them. Errors: kCorrupt, with what disagrees. For tests: it looks at
  // everything.
  Result<void> check(std::span<const std::span<const PageNumber>> holders,
                     std::size_t reserved) const;

 private:
  static constexpr PageNumber kNone = UINT32_MAX;

  struct CacheKey {
    PrefixKey parent;
    PageTokens tokens;
    bool operator==(const CacheKey&) const = default;
  };
  struct CacheKeyHash {
    std::size_t operator()(const CacheKey& key) const;
  };
  struct Page {
    std::uint32_t holders = 0;
    std::size_t cached = 0;                    // positions that can be found
    CacheKey content = {};                     // of these
    PrefixKey key = kEmptyPrefix;              // if they are all
    PageNumber before = kNone, after = kNone;  // in the order of last use, while it is idle
  };

  // False, and nothing done: there is no memory.
  bool cache(PageNumber page, PrefixKey parent, std::span<const std::int32_t> tokens);
  void retain(PageNumber page);
  void forget(PageNumber page);
  void add_idle(PageNumber page);
  void remove_idle(PageNumber page);
  Page& at(PageNumber page);

  std::size_t max_pages_;
  bool caching_;
  std::size_t reserved_ = 0;  // never more than available()
  std::vector<Page> pages_;   // those that have ever been taken
  std::vector<PageNumber> free_;
  // Pages that are cached and held by nobody, linked from the one used longest ago to the one used
  // last: to release a page must not need memory.
  PageNumber idle_first_ = kNone, idle_last_ = kNone;
  std::size_t idle_ = 0;
  std::unordered_map<CacheKey, PageNumber, CacheKeyHash> cache_;     // whole pages
  std::unordered_multimap<std::uint64_t, PageNumber> by_beginning_;  // all that is cached
  PrefixKey next_key_ = 1;
};

}  // namespace chorus::engine

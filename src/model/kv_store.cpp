#include "model/kv_store.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace chorus::model {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{16} << 20;
constexpr std::size_t kSlabPages = 64;  // at most: pages of small models are small

}  // namespace

KvStore::KvStore(const KvLayout& layout, std::size_t max_pages)
    : layout_(layout),
      max_pages_(max_pages),
      slab_pages_(static_cast<PageNumber>(
          std::clamp<std::size_t>(kSlabBytes / layout.page_bytes(), 1, kSlabPages))) {}

void KvStore::allot(PageNumber page) {
  assert(page < max_pages_);
  std::size_t slab = page / slab_pages_;
  if (slab < slabs_.size() && slabs_[slab].size() > 0) return;
  std::size_t count = std::min<std::size_t>(slab_pages_, max_pages_ - slab * slab_pages_);
  AlignedBuffer<std::byte> memory(count * layout_.page_bytes());
  if (slab >= slabs_.size()) slabs_.resize(slab + 1);
  slabs_[slab] = std::move(memory);
}

void KvStore::copy(PageNumber from, PageNumber to) {
  assert(from != to);
  allot(to);
  std::memcpy(data(to), data(from), layout_.page_bytes());
}

std::byte* KvStore::data(PageNumber page) {
  assert(page / slab_pages_ < slabs_.size() && slabs_[page / slab_pages_].size() > 0);
  return slabs_[page / slab_pages_].data() + page % slab_pages_ * layout_.page_bytes();
}

std::size_t KvStore::allotted_bytes() const {
  std::size_t bytes = 0;
  for (const AlignedBuffer<std::byte>& slab : slabs_) bytes += slab.size();
  return bytes;
}

}  // namespace chorus::model

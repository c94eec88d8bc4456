#include "model/step_rows.h"

#include <algorithm>
#include <cassert>

namespace chorus::model {
namespace {

// Pages that a chunk reads and writes: to its last position.
std::size_t pages_of(const Chunk& chunk) {
  return kernels::panel_count(chunk.position + chunk.ids.size());
}

}  // namespace

StepRows::StepRows(std::span<const Chunk> chunks, KvStore& store) {
  for (const Chunk& chunk : chunks) {
    assert(!chunk.ids.empty() && pages_of(chunk) <= chunk.pages.size());
    for (PageNumber page : chunk.pages.first(pages_of(chunk))) {
      store.allot(page);
      pages_.push_back(store.data(page));
    }
  }
  std::byte* const* pages = pages_.data();
  for (const Chunk& chunk : chunks) {
    add(chunk, pages);
    pages += pages_of(chunk);
  }
}

void StepRows::add(const Chunk& chunk, std::byte* const* pages) {
  std::size_t size = chunk.ids.size();
  for (std::size_t i = 0; i < size; i += kTileRows) {
    tiles_.push_back({.first_row = rows_.size() + i,
                      .rows = std::min(kTileRows, size - i),
                      .first_position = chunk.position + i,
                      .pages = pages,
                      .is_whole = size <= kTileRows});
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (i >= chunk.logits_from) logits_rows_.push_back(rows_.size());
    rows_.push_back({chunk.ids[i], chunk.position + i});
  }
  positions_ = std::max(positions_, chunk.position + size);
}

}  // namespace chorus::model

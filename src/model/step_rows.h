// The rows of one forward step, and how attention takes them: in tiles of rows of one chunk, which
// read the same keys and values. Immutable once made; any member of the team may read.
#pragma once

#include <vector>

#include "model/kv_store.h"

namespace chorus::model {

inline constexpr std::size_t kTileRows = 24;  // of one tile, at most

struct Row {
  std::int32_t id;
  std::size_t position;
};

struct Tile {
  std::size_t first_row, rows;  // of the step
  std::size_t first_position;   // of the sequence
  std::byte* const* pages;      // of the sequence, up to the tile's last position
  bool is_whole;                // all rows of its chunk
};

class StepRows {
 public:
  // Sees to it that the chunks' pages have memory. Throws std::bad_alloc.
  StepRows(std::span<const Chunk> chunks, KvStore& store);

  std::size_t count() const { return rows_.size(); }
  const Row& operator[](std::size_t row) const { return rows_[row]; }
  const std::vector<Tile>& tiles() const { return tiles_; }
  // Those of the step's rows that get logits.
  const std::vector<std::size_t>& logits_rows() const { return logits_rows_; }
  // Of the sequences: one more than the last that any row stands at.
  std::size_t positions() const { return positions_; }

 private:
  void add(const Chunk& chunk, std::byte* const* pages);

  std::vector<Row> rows_;
  std::vector<Tile> tiles_;
  std::vector<std::size_t> logits_rows_;
  std::vector<std::byte*> pages_;  // of all chunks, one after the other
  std::size_t positions_ = 0;
};

}  // namespace chorus::model

// What goes into a forward step: consecutive tokens of sequences, and the numbers of the pages that
// hold their keys and values. Whoever chooses what is computed next deals in nothing else: the
// pages' memory is KvStore's, and what comes out are rows of logits. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "kernels/panels.h"

namespace chorus::model {

// A page holds the keys and values of kPagePositions positions of one sequence, for every layer and
// head. A sequence is a table of page numbers: position p stands in the page at table[p / 32].
using PageNumber = std::uint32_t;
inline constexpr std::size_t kPagePositions = kernels::kPanelWidth;

// The rows of a step are the rows of its chunks, in order.
struct Chunk {
  std::span<const std::int32_t> ids;
  std::size_t position;               // of ids[0]; every position before it is in the pages
  std::span<const PageNumber> pages;  // of the sequence, at least to the chunk's last position
  std::size_t logits_from;            // rows of this chunk from this index on get logits
};

// Gets each row that has logits, once, on any member of the team: `row` counts these rows in the
// step's order. The logits, a whole vocabulary of them, may be written to, and are gone afterwards.
using UseLogits = std::function<void(std::size_t row, std::span<float> logits, std::size_t member)>;

}  // namespace chorus::model

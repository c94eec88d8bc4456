// The layout of cached keys and values. A page holds kPagePositions positions of one sequence, for
// every layer and head, in the panels that the matmul kernels read: scores are its outputs over
// positions, and the weighted sum its outputs over the head dimension.
//
// For each (layer, head): keys [head_size][32 positions], then values [padded(head_size) / 32][32
// positions][32]. A sequence is a table of pages: position p stands in page p / 32.
#pragma once

#include <cstddef>

#include "checkpoint/checkpoint.h"
#include "model/packed_matrix.h"

namespace chorus::model {

inline constexpr std::size_t kPagePositions = kernels::kPanelWidth;

struct KvLayout {
  std::size_t layers, heads, head_size;
  // How an element is held: as computed (kF32), or rounded to bf16 (nearest, ties to even) when it
  // is stored and widened exactly when it is read (kBf16).
  NumberFormat type;

  KvLayout(const checkpoint::ModelConfig& config, NumberFormat element_type)
      : layers(static_cast<std::size_t>(config.n_layer)),
        heads(static_cast<std::size_t>(config.n_head)),
        head_size(static_cast<std::size_t>(config.n_embd / config.n_head)),
        type(element_type) {}

  std::size_t value_panels() const { return padded(head_size) / kernels::kPanelWidth; }
  std::size_t keys_size() const { return head_size * kPagePositions; }            // elements
  std::size_t values_size() const { return padded(head_size) * kPagePositions; }  // elements
  std::size_t element_size() const { return block_bytes(type); }                  // bytes
  std::size_t page_bytes() const {
    return layers * heads * (keys_size() + values_size()) * element_size();
  }

  // Offsets in a page, in elements.
  std::size_t keys(std::size_t layer, std::size_t head) const {
    return (layer * heads + head) * (keys_size() + values_size());
  }
  std::size_t values(std::size_t layer, std::size_t head) const {
    return keys(layer, head) + keys_size();
  }
};

}  // namespace chorus::model

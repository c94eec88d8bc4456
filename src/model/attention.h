// Attention of a step's rows over the cached keys and values of their sequences. Both products are
// the matmul kernel's, with pages for panels: nothing is gathered or copied.
//
// One item of work is a tile of rows and one head. Sums run over positions in ascending order,
// whatever the tile, so that no split changes a bit (docs/numerics.md).
//
// Thread contract: members call it at once, for different items and with scratch of their own.
#pragma once

#include "kernels/kernels.h"
#include "model/step_rows.h"
#include "model/workspace.h"

namespace chorus::model {

class Attention {
 public:
  // `heads` of queries share the layout's heads of keys and values evenly. A row of workspace.qkv
  // holds the queries of all heads, then the keys, then the values; a row of workspace.normalised
  // gets the heads' sums.
  Attention(const kernels::Kernels& kernels, const KvLayout& layout, std::size_t heads,
            const StepRows& rows, Workspace& workspace);

  // Writes the tile's keys and values of one key/value head to its pages.
  void store(const Tile& tile, std::size_t layer, std::size_t kv_head) const;

  // The weighted sums of one head's values, for each row of the tile; keys and values of all
  // positions up to the tile's last are in the pages. `scratch` is scratch_size() floats.
  void attend(const Tile& tile, std::size_t layer, std::size_t head, float score_scale,
              float* scratch) const;
  std::size_t scratch_size() const;

  std::size_t heads() const { return heads_; }
  std::size_t kv_heads() const { return layout_.heads; }
  std::size_t head_size() const { return layout_.head_size; }

 private:
  template <class Element>
  void store_as(const Tile& tile, std::size_t layer, std::size_t kv_head) const;
  void scores(const Tile& tile, std::size_t layer, std::size_t head, float* out) const;
  void weighted_sum(const Tile& tile, std::size_t layer, std::size_t kv_head, const float* scores,
                    float* sums) const;
  std::size_t kv_head_of(std::size_t head) const { return head / (heads_ / layout_.heads); }
  void multiply_cached(kernels::MatmulArgs args) const;

  const kernels::Kernels& kernels_;
  const KvLayout& layout_;
  std::size_t heads_;
  std::size_t score_stride_;  // floats of one row of scores: the positions, in whole pages
  std::size_t sum_stride_;
  Workspace& workspace_;
};

}  // namespace chorus::model

// What a page of cached keys and values holds, and where: for each layer and key/value head in turn
// its keys, then its values, in the panels that the matmul kernels read (kernels/panels.h): scores
// are outputs over positions, and the weighted sum outputs over the head's channels.
#pragma once

#include <cstddef>

#include "checkpoint/checkpoint.h"
#include "chorus/number_format.h"
#include "kernels/panels.h"
#include "model/chunk.h"

namespace chorus::model {

struct KvLayout {
  std::size_t layers, heads, head_size;  // heads of keys and values
  // How an element is held: as computed (kF32), or rounded to bf16 (nearest, ties to even) when it
  // is stored and widened exactly when it is read (kBf16).
  NumberFormat type;

  KvLayout(const checkpoint::ModelConfig& config, NumberFormat element_type)
      : layers(static_cast<std::size_t>(config.n_layer)),
        heads(heads_of(config)),
        head_size(static_cast<std::size_t>(config.n_embd / config.n_head)),
        type(element_type) {}

  std::size_t element_size() const { return block_bytes(type); }  // bytes
  std::size_t page_bytes() const { return layers * heads * head_bytes(); }
  std::size_t head_bytes() const { return head_elements() * element_size(); }  // of a layer

  // Where the keys and the values of a layer and head begin in a page, in elements.
  std::size_t keys(std::size_t layer, std::size_t head) const {
    return (layer * heads + head) * head_elements();
  }
  std::size_t values(std::size_t layer, std::size_t head) const {
    return keys(layer, head) + kernels::page_keys_size(head_size);
  }

 private:
  static std::size_t heads_of(const checkpoint::ModelConfig& config) {
    switch (config.key_value_heads) {
      case checkpoint::KeyValueHeads::kOnePerHead:
        break;
    }
    return static_cast<std::size_t>(config.n_head);
  }
  std::size_t head_elements() const {
    return kernels::page_keys_size(head_size) + kernels::page_values_size(head_size);
  }
};

}  // namespace chorus::model

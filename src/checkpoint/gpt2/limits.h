// The sizes that a config may state. They bound every product of two of them far below 2^63, so
// that no size computed from a config that passed can overflow. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {

constexpr std::int64_t kLargestBlockSize = 1 << 24;
constexpr std::int64_t kLargestVocabSize = 1 << 24;
constexpr std::int64_t kLargestLayerCount = 1 << 12;
constexpr std::int64_t kLargestEmbedding = 1 << 20;  // n_embd, n_head
constexpr std::int64_t kLargestInner = 1 << 22;

// Errors: kCorrupt, "config field NAME is VALUE; expected 1 to LARGEST".
Result<void> check_size(std::string_view name, std::int64_t value, std::int64_t largest);

// Every size in its limits, n_embd a multiple of n_head, the epsilon finite and above 0.
Result<void> check_config(const ModelConfig& config);

}  // namespace chorus::checkpoint

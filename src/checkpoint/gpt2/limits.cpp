#include "checkpoint/gpt2/limits.h"

#include <fmt/format.h>

#include <cmath>

namespace chorus::checkpoint {

Result<void> check_size(std::string_view name, std::int64_t value, std::int64_t largest) {
  if (value >= 1 && value <= largest) return ok();
  return Error{ErrorCode::kCorrupt,
               fmt::format("config field {} is {}; expected 1 to {}", name, value, largest)};
}

Result<void> check_config(const ModelConfig& config) {
  CHORUS_TRY(check_size("block_size", config.block_size, kLargestBlockSize));
  CHORUS_TRY(check_size("vocab_size", config.vocab_size, kLargestVocabSize));
  CHORUS_TRY(check_size("n_layer", config.n_layer, kLargestLayerCount));
  CHORUS_TRY(check_size("n_embd", config.n_embd, kLargestEmbedding));
  CHORUS_TRY(check_size("n_head", config.n_head, kLargestEmbedding));
  CHORUS_TRY(check_size("n_inner", config.n_inner, kLargestInner));
  if (config.n_embd % config.n_head != 0) {
    return Error{
        ErrorCode::kCorrupt,
        fmt::format("config field n_embd is {}; expected a multiple of n_head, which is {}",
                    config.n_embd, config.n_head)};
  }
  double epsilon = config.layer_norm_epsilon;
  if (!(epsilon > 0) || !std::isfinite(epsilon)) {
    return Error{
        ErrorCode::kCorrupt,
        fmt::format("config field layer_norm_epsilon is {}; expected a number above 0", epsilon)};
  }
  return ok();
}

}  // namespace chorus::checkpoint

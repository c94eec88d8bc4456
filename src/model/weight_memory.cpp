#include "model/weight_memory.h"

#include <fmt/format.h>

#include <string>

#include "model/quantise.h"

namespace chorus::model {
std::uint64_t weight_bytes(const checkpoint::Checkpoint& checkpoint, NumberFormat type) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    NumberFormat format = format_of(name, tensor, type);
    std::uint64_t scale = is_quantised(format) ? sizeof(std::uint16_t) : 0;
    auto numbers = static_cast<std::uint64_t>(tensor.element_count());
    bytes += numbers / block_numbers(format) * (block_bytes(format) + scale);
  }
  for (const auto& [name, matrix] : checkpoint.quantised) {
    bytes += matrix.weights.size() + matrix.scales.size();
  }
  return bytes;
}

MemoryPart weights_part(const checkpoint::Checkpoint& checkpoint, NumberFormat type) {
  return {fmt::format("the weights of {} as {}", checkpoint.path, number_format_name(type)),
          weight_bytes(checkpoint, type)};
}

Error with_smaller_types(Error error, const checkpoint::Checkpoint& checkpoint) {
  if (checkpoint.quantised.empty()) {
    error.message +=
        fmt::format("; the weights of {} take {} as int8 and {} as int4", checkpoint.path,
                    megabytes_text(weight_bytes(checkpoint, NumberFormat::kInt8)),
                    megabytes_text(weight_bytes(checkpoint, NumberFormat::kInt4)));
  }
  return error;
}

std::uint64_t step_bytes(const checkpoint::ModelConfig& config, std::size_t rows) {
  // The residual, its norm, queries with keys and values, the projection; the MLP; logits.
  auto floats = static_cast<std::uint64_t>(6 * config.n_embd + config.n_inner + config.vocab_size);
  return rows * floats * sizeof(float);
}

}  // namespace chorus::model

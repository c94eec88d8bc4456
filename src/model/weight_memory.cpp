#include "model/weight_memory.h"

#include <fmt/format.h>

#include <string>

#include "model/quantise.h"

namespace chorus::model {
namespace {

double megabytes(std::uint64_t bytes) { return static_cast<double>(bytes) * 1e-6; }

}  // namespace

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

// The system would end the program without a word, perhaps others too.
Result<void> check_memory(const checkpoint::Checkpoint& checkpoint, NumberFormat type,
                          std::uint64_t most) {
  std::uint64_t bytes = weight_bytes(checkpoint, type);
  if (most == 0 || bytes <= most) return ok();
  std::string message = fmt::format(
      "{}: the weights take {:.1f} MB as {}, and this process may have {:.1f} MB at most",
      checkpoint.path, megabytes(bytes), number_format_name(type), megabytes(most));
  if (checkpoint.quantised.empty()) {
    message += fmt::format("; as int8 they take {:.1f} MB, as int4 {:.1f}",
                           megabytes(weight_bytes(checkpoint, NumberFormat::kInt8)),
                           megabytes(weight_bytes(checkpoint, NumberFormat::kInt4)));
  }
  return Error{ErrorCode::kOutOfMemory, std::move(message)};
}

}  // namespace chorus::model

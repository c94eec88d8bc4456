#include "engine/memory_need.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/memory.h"
#include "model/chunk.h"
#include "model/weight_memory.h"

namespace chorus::engine {
namespace {

// A quantised checkpoint's own format; bf16 in memory for a checkpoint whose matrices all are bf16:
// the same values in half the room, and the same text.
NumberFormat stored_format(const checkpoint::Checkpoint& checkpoint) {
  if (auto format = checkpoint::quantised_format(checkpoint)) return *format;
  bool bf16 =
      std::all_of(checkpoint.tensors.begin(), checkpoint.tensors.end(), [](const auto& entry) {
        return entry.second.shape.size() != 2 || entry.second.dtype == NumberFormat::kBf16;
      });
  return bf16 ? NumberFormat::kBf16F32 : NumberFormat::kF32;
}

// What this process's own limits allow it to map beside the file, which is mapped already. Keys and values
// are mapped as texts need them, and a request for which they cannot be is refused.
Result<void> check_mappable(const MemoryPart& weights) {
  auto mappable = mappable_memory();
  if (!mappable || weights.bytes <= mappable->bytes) return ok();
  return Error{ErrorCode::kOutOfMemory,
               fmt::format("not enough memory: {} need {}; {}", weights.what,
                           megabytes_text(weights.bytes), describe_memory())};
}

}  // namespace

NumberFormat weight_format(const checkpoint::Checkpoint& checkpoint, const EngineOptions& options) {
  return options.dtype.value_or(stored_format(checkpoint));
}

std::vector<MemoryPart> memory_need(const checkpoint::Checkpoint& checkpoint,
                                    const EngineOptions& options) {
  std::vector<MemoryPart> parts;
  bool is_mapped = options.keep_mapped && checkpoint::quantised_format(checkpoint);
  if (!is_mapped) {
    parts.push_back(model::weights_part(checkpoint, weight_format(checkpoint, options)));
  }
  if (options.kv_memory > 0) {
    parts.push_back(
        {fmt::format("the keys and values of {} (kv_memory)", checkpoint.path), options.kv_memory});
  }
  return parts;
}

Result<MemoryClaim> claim_memory(const checkpoint::Checkpoint& checkpoint,
                                 const EngineOptions& options) {
  std::vector<MemoryPart> parts = memory_need(checkpoint, options);
  if (!parts.empty()) {
    if (auto mappable = check_mappable(parts[0]); !mappable) {
      return model::with_smaller_types(mappable.assume_error(), checkpoint);
    }
  }
  auto claim = MemoryClaim::make(std::move(parts));
  if (!claim) return model::with_smaller_types(claim.assume_error(), checkpoint);
  return claim;
}

Result<std::size_t> kv_pages(const EngineOptions& options, std::size_t page_bytes,
                             std::size_t pages_of_text) {
  std::uint64_t bytes = options.kv_memory;
  if (bytes == 0) {
    std::uint64_t free = available_memory();
    std::uint64_t most = most_memory();
    if (most > 0) free = std::min(free, most - std::min(most, sum_of(claimed_memory())));
    bytes = std::max(free / 4, std::min<std::uint64_t>(free, pages_of_text * page_bytes));
  }
  std::uint64_t pages = std::min<std::uint64_t>(bytes / page_bytes, UINT32_MAX);
  if (pages > 0) return static_cast<std::size_t>(pages);
  if (options.kv_memory == 0) {
    return Error{ErrorCode::kOutOfMemory,
                 fmt::format("not enough memory for keys and values: {} tokens need {}, and {} are "
                             "free; {}",
                             model::kPagePositions, megabytes_text(page_bytes),
                             megabytes_text(bytes), describe_memory())};
  }
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("kv_memory: expected at least one page of {} bytes, found {}",
                           page_bytes, bytes)};
}

}  // namespace chorus::engine

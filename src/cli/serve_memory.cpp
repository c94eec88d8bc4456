#include "cli/serve_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/model_source.h"
#include "cli/serve_models.h"
#include "core/memory.h"
#include "engine/memory_need.h"
#include "hub/hub.h"
#include "model/weight_memory.h"

namespace chorus::cli {
namespace {

constexpr std::uint64_t kLeastBuffers = std::uint64_t{16} << 20;  // unless the user says less

// The model, if it is on this machine and can be opened.
std::optional<checkpoint::Checkpoint> open_if_here(std::string path,
                                                   const checkpoint::OpenOptions& options) {
  std::error_code ignored;
  if (hub::is_model_name(path) && !std::filesystem::exists(path, ignored)) {
    auto cached = hub::find_in_cache(path);
    if (!cached || cached.assume_value().empty()) return std::nullopt;
    path = cached.assume_value();
  }
  auto opened = open_model(path, options);
  if (!opened) return std::nullopt;
  return std::move(opened.assume_value());
}

struct Parts {
  std::vector<MemoryPart> models;  // weights, and what a step of each takes
  std::uint64_t weights = 0;
  std::uint64_t program = private_memory();  // with the tokenizer of any one of them
};

Parts parts_of(const ServeOptions& options) {
  EngineOptions engine{.dtype = options.engine.dtype, .keep_mapped = false};
  Parts parts;
  for (std::size_t i = 0; i < options.models.size(); ++i) {
    if (same_before(options.models, i)) continue;
    auto checkpoint = open_if_here(options.models[i].path, options.engine.open);
    if (!checkpoint) continue;
    parts.program = std::max(parts.program, private_memory());
    for (MemoryPart& part : engine::memory_need(*checkpoint, engine)) {
      parts.weights += part.bytes;
      parts.models.push_back(std::move(part));
    }
    parts.models.push_back(
        {"a step of " + checkpoint->path, model::step_bytes(checkpoint->config, engine.step_rows)});
  }
  return parts;
}

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a - std::min(a, b); }

}  // namespace

Result<ServeMemory> plan_memory(ServeOptions& options) {
  MemoryBound bound = memory_bound();
  if (bound.bytes == 0) return ServeMemory{};
  std::size_t& buffers = options.server.http.max_buffer_total;
  std::uint64_t& kv = options.engine.kv_memory;
  Parts parts = parts_of(options);
  std::vector<MemoryPart> all = parts.models;
  all.push_back({"keys and values (--kv-memory)", kv});
  all.push_back({"the program itself", parts.program});
  if (options.is_buffer_total_given) {
    all.push_back({"the buffers of all clients (--max-buffer-total)", buffers});
  }
  if (auto fits = check_memory(all, bound); !fits) {
    Error error = std::move(fits.assume_error());
    error.message +=
        "; fewer models, --dtype int8 or int4, or a smaller --kv-memory or --max-buffer-total take "
        "less";
    return error;
  }
  std::uint64_t left = less(bound.bytes, sum_of(all));
  if (!options.is_buffer_total_given) {
    buffers = std::min<std::uint64_t>(buffers, std::max(left / 4, kLeastBuffers));
    left = less(left, buffers);
  }
  if (kv == 0) kv = std::min(less(available_memory(), parts.weights), left) / 4;
  ServeMemory memory;
  memory.text = fmt::format(
      "memory: {} ({}); weights {}, keys and values at most {}, buffers of all clients at most {}",
      megabytes_text(bound.bytes), bound.of, megabytes_text(parts.weights), megabytes_text(kv),
      megabytes_text(buffers));
  MemoryPart claimed{"the buffers of all clients (--max-buffer-total)", buffers,
                     !options.is_buffer_total_given};
  CHORUS_TRY(memory.buffers, MemoryClaim::make({std::move(claimed)}, bound));
  return memory;
}

}  // namespace chorus::cli

// The options that every command with a model has, and the engine that they ask for.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "chorus/engine.h"
#include "hub/hub.h"

namespace chorus::cli {

struct ModelOptions {
  std::string model;                  // a path or a name; empty: the embedded storyteller
  std::optional<NumberFormat> dtype;  // empty: as stored
  std::size_t threads = 0;
  checkpoint::OpenOptions open;
  bool allow_nonfinite = false;
  bool no_pin = false;
  bool no_prefix_cache = false;
  std::uint64_t kv_memory = 0;  // bytes; 0: the engine's default
  std::size_t max_queue = EngineOptions{}.max_queue;
  bool keep_mapped = true;  // as EngineOptions has it: most commands end soon
};

void add_model_options(CLI::App& command, ModelOptions& options);
// All of them but --model.
void add_engine_options(CLI::App& command, ModelOptions& options);
// The parts of it that are not --dtype and --threads.
void add_model_name_option(CLI::App& command, ModelOptions& options);
void add_further_model_options(CLI::App& command, ModelOptions& options);

// How many requests of a batch are in flight at once, unless it is said.
inline constexpr std::size_t kDefaultParallel = 32;
void add_parallel_option(CLI::App& command, std::size_t& parallel);

struct LoadedEngine {
  std::unique_ptr<Engine> engine;
  std::string model;  // as it was asked for, or "storyteller"
  checkpoint::ModelConfig config;
  double seconds;  // opening and packing
};

// Who hears how far the loading is, in bytes.
struct LoadProgress {
  hub::Progress fetch;
  std::function<void(std::uint64_t done, std::uint64_t total)> load;
};

// Loads the model. Without `progress` there are progress bars on standard error. Throws
// CommandFailed.
LoadedEngine load_engine(const ModelOptions& options, const LoadProgress* progress = nullptr);

// What was loaded, in a few words: "storyteller (14.5 M parameters, f32, avx2, 2 threads)".
std::string describe(const ModelInfo& info);

}  // namespace chorus::cli

#include "cli/engine_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "checkpoint/checkpoint.h"
#include "cli/commands.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "cli/progress.h"
#include "library/model_source.h"

namespace chorus::cli {

void add_model_name_option(CLI::App& command, ModelOptions& options) {
  command
      .add_option("--model,-m", options.model,
                  "Checkpoint file, Hugging Face folder, or name: gpt2, gpt2-medium, gpt2-large, "
                  "gpt2-xl, distilgpt2, hf:owner/name, parallelopedia " +
                      default_model_help())
      ->transform(not_empty("a path or a name"))
      ->type_name("PATH|NAME");
}

void add_model_options(CLI::App& command, ModelOptions& options) {
  add_model_name_option(command, options);
  add_engine_options(command, options);
}

void add_engine_options(CLI::App& command, ModelOptions& options) {
  command
      .add_option(
          "--dtype", options.dtype,
          "How weights are held and multiplied: f32, bf16, bf16-f32, int8 or int4; bf16 "
          "rounds activations to bf16, too, bf16-f32 does not (default: as a converted file "
          "of int8 or int4 has them, bf16-f32 for a checkpoint of bf16, else f32)")
      ->transform(number_format(kWeightFormats))
      ->type_name("TYPE");
  command
      .add_option("--threads,-t", options.threads,
                  "Threads that compute; the text does not depend on it (default: the processors "
                  "that this process may use)")
      ->transform(whole_number(1, 1024))
      ->type_name("N");
  add_further_model_options(command, options);
}

void add_further_model_options(CLI::App& command, ModelOptions& options) {
  add_open_options(command, options.open);
  command
      .add_option(
          "--kv-memory", options.kv_memory,
          "Memory for the keys and values of all requests, at most: 500MB, 2GiB (default: a "
          "quarter of what is free)")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  command.add_flag("--no-prefix-cache", options.no_prefix_cache,
                   "Forget the keys and values of a text at its end (default: keep them for others "
                   "that begin alike)");
  command.add_flag("--no-pin", options.no_pin,
                   "Do not tie each thread to a processor: for machines that do other work, too");
  command.add_flag("--allow-nonfinite", options.allow_nonfinite,
                   "Accept a checkpoint with NaN or infinite weights (default: refuse it)");
}

void add_parallel_option(CLI::App& command, std::size_t& parallel) {
  command
      .add_option(
          "--parallel", parallel,
          "Requests of --jsonl that are in flight at once, at most; no answer depends on it "
          "(default: 32)")
      ->transform(whole_number(1, 1024))
      ->type_name("N");
}

LoadedEngine load_engine(const ModelOptions& options, const LoadProgress* progress) {
  // Fetching is not loading: the clock starts when the model is here.
  std::string path;
  if (!options.model.empty()) {
    path = value_or_fail(progress != nullptr ? library::locate_model(options.model, progress->fetch)
                                             : locate_model(options.model));
  }
  auto start = std::chrono::steady_clock::now();
  checkpoint::Checkpoint checkpoint = value_or_fail(open_model(path, options.open));
  std::optional<ProgressBar> bar;
  if (progress == nullptr) bar.emplace("Loading " + checkpoint.path);
  EngineOptions engine_options{
      .dtype = options.dtype,
      .threads = options.threads,
      .pin_threads = !options.no_pin,
      .kv_memory = options.kv_memory,
      .prefix_cache = !options.no_prefix_cache,
      .max_queue = options.max_queue,
      .allow_nonfinite = options.allow_nonfinite,
      .keep_mapped = options.keep_mapped,
      .progress = [&bar, progress](std::uint64_t done, std::uint64_t total) {
        bar ? bar->update(done, total) : progress->load(done, total);
      }};
  auto engine = value_or_fail(Engine::load(checkpoint, engine_options));
  if (bar) bar->finish();
  std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return {std::move(engine), options.model.empty() ? "storyteller" : options.model,
          checkpoint.config, elapsed.count()};
}

std::string describe(const ModelInfo& info) {
  return fmt::format("{} ({:.1f} M parameters, {}, {}{}, {} thread{})", info.path,
                     static_cast<double>(info.parameters) * 1e-6, number_format_name(info.dtype),
                     info.instructions, info.amx ? " with AMX" : "", info.threads,
                     info.threads == 1 ? "" : "s");
}

}  // namespace chorus::cli
